"""The demo's model before it is registered."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from sparkscore.demo import contracts, recipe
from sparkscore.demo.flights import FlightTables
from sparkscore.demo.recipe import INPUTS, delay_pipeline, flight_inputs, late_labels, recipe_fingerprint, with_outcome
from sparkscore.demo.registry import Candidate


@pytest.fixture(scope="module")
def model(sample: pd.DataFrame) -> Pipeline:
    known = with_outcome(sample)
    return delay_pipeline().fit(flight_inputs(known), late_labels(known))


def test_no_outcome_is_an_input() -> None:
    outcomes = {column.name for column in contracts.FLIGHTS.columns if column.comment.startswith("Outcome")}
    assert outcomes == {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
    assert outcomes.isdisjoint(INPUTS)


def test_inputs_have_the_types_of_the_signature_and_nan_for_missing_weather(frames: FlightTables) -> None:
    given = flight_inputs(frames.flights)
    assert {name: str(kind) for name, kind in given.dtypes.items()} == {
        name: {"string": "object", "long": "int64", "double": "float64"}[kind] for name, kind in INPUTS.items()
    }
    assert np.isnan(given["temp"].to_numpy()).sum() == 1573


def test_late_is_15_minutes_or_more() -> None:
    assert late_labels(pd.DataFrame({"arr_delay": [-5, 14, 15, 200]})).tolist() == [0, 0, 1, 1]


def test_cancelled_and_diverted_flights_are_not_learned_from(frames: FlightTables) -> None:
    assert len(frames.flights) - len(with_outcome(frames.flights)) == 9430


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_a_row_gets_the_same_bits_in_any_batch(model: Pipeline, sample: pd.DataFrame, rows: int) -> None:
    given = flight_inputs(sample.head(rows * 3 + 2))
    batches = [model.predict_proba(given.iloc[start : start + rows]) for start in range(0, len(given), rows)]
    assert np.array_equal(np.concatenate(batches), model.predict_proba(given))


def test_nullable_integers_without_nulls_give_the_same_bits(model: Pipeline, sample: pd.DataFrame) -> None:
    given = flight_inputs(sample.head(500))
    nullable = given.astype({name: "Int64" for name, kind in INPUTS.items() if kind == "long"})
    assert np.array_equal(model.predict_proba(nullable), model.predict_proba(given))


def test_unseen_airlines_and_airports_and_missing_weather_are_scored(model: Pipeline, sample: pd.DataFrame) -> None:
    weather = dict.fromkeys((column.name for column in contracts.OBSERVATIONS if column.name in INPUTS), np.nan)
    strange = flight_inputs(sample.head(3)).assign(carrier="??", dest=None, **weather)
    probabilities = model.predict_proba(strange)
    assert np.all((probabilities > 0) & (probabilities < 1))
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_the_fingerprint_tells_any_other_row_apart(sample: pd.DataFrame) -> None:
    rows = sample.head(100)
    warmer = rows.assign(temp=rows["temp"].where(rows.index != rows.index[50], 99.0))
    later = rows.assign(arr_delay=rows["arr_delay"] + 1)
    assert recipe_fingerprint(rows) == recipe_fingerprint(rows.copy())
    assert len({recipe_fingerprint(frame) for frame in (rows, warmer, later, rows.head(99))}) == 4


def test_the_quickstarts_model_is_as_good_as_its_inputs_allow(candidate: Candidate) -> None:
    assert candidate.metrics["rows_train"] == 244_737
    assert candidate.metrics["rows_test"] == 82_609
    assert candidate.metrics["base_rate"] == pytest.approx(0.2297, abs=1e-4)
    assert 0.68 < candidate.metrics["auc"] < 0.71


def test_training_again_gives_the_same_model(model: Pipeline, sample: pd.DataFrame) -> None:
    known = with_outcome(sample)
    again = recipe.delay_pipeline().fit(flight_inputs(known), late_labels(known))
    given = flight_inputs(sample)
    assert np.array_equal(again.predict_proba(given), model.predict_proba(given))
