"""Runs whose predictions have reasons."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sparkscore import ConfigError, PinsConflict, TemporaryError, rollback, score
from sparkscore.settings import Settings
from tests.world import AS_OF, World, source_rows

ROWS = source_rows(60)


@pytest.fixture
def flights(world: World) -> World:
    world.write_source(ROWS)
    return world


def explained(world: World, **groups: Any) -> Settings:
    return world.settings(**{"reasons": {"top": 2}, **groups})


def rows_with_reasons(world: World) -> pd.DataFrame:
    found: pd.DataFrame = DeltaTable(world.path("predictions")).to_pyarrow_table().sort_by("id").to_pandas()
    return found


def expected_contributions(world: World) -> np.ndarray[Any, np.dtype[np.float64]]:
    model = world.registry.models[0]
    return np.asarray(ROWS.to_pandas()[["x1", "x2"]].to_numpy() * model.coef_[0])


@pytest.mark.parametrize("transport", ["scan", "arrow", "pandas_udf"])
def test_each_prediction_has_the_features_that_made_it_on_every_transport(flights: World, transport: str) -> None:
    plain = score(flights.spark, flights.settings(output={"table": "plain"}), as_of=AS_OF)
    settings = explained(flights, scoring={"transport": transport})
    report = score(flights.spark, settings, as_of=AS_OF)
    assert (report.status, report.rows_scored, plain.rows_scored) == ("published", 60, 60)
    seen, model = rows_with_reasons(flights), flights.registry.models[0]
    np.testing.assert_allclose(seen["prediction"], flights.registry.expected(ROWS), rtol=0, atol=1e-12)
    frame = ROWS.to_pandas()[["x1", "x2"]]
    np.testing.assert_allclose(seen["raw_score"], model.decision_function(frame), rtol=0, atol=1e-9)
    sums = [
        base + sum(one["contribution"] for one in reasons)
        for base, reasons in zip(seen["base_value"], seen["reasons"], strict=True)
    ]
    np.testing.assert_allclose(sums, seen["raw_score"], rtol=0, atol=1e-6)
    contributions = expected_contributions(flights)
    for reasons, row in zip(seen["reasons"], contributions, strict=True):
        order = np.argsort(-np.abs(row), kind="stable")
        assert [one["feature"] for one in reasons] == [["x1", "x2"][index] for index in order]
        np.testing.assert_allclose([one["contribution"] for one in reasons], row[order], rtol=0, atol=1e-9)


@pytest.mark.slow
def test_another_number_of_reasons_is_another_run_and_the_same_one_is_none(flights: World) -> None:
    score(flights.spark, explained(flights, reasons={"top": 1}), as_of=AS_OF)
    assert {len(reasons) for reasons in rows_with_reasons(flights)["reasons"]} == {1}
    assert score(flights.spark, explained(flights, reasons={"top": 1}), as_of=AS_OF).status == "already_published"
    with pytest.raises(PinsConflict, match="scoring_digest"):
        score(flights.spark, explained(flights), as_of=AS_OF)
    score(flights.spark, explained(flights), as_of=AS_OF, replace=True)
    assert {len(reasons) for reasons in rows_with_reasons(flights)["reasons"]} == {2}
    rollback(flights.spark, explained(flights), as_of=AS_OF)
    assert {len(reasons) for reasons in rows_with_reasons(flights)["reasons"]} == {1}


def test_a_sensitive_column_has_neither_a_name_nor_a_contribution(flights: World) -> None:
    settings = explained(flights, source={"sensitive": ["x1"]}, model={"missing": {"x2": "reject"}})
    flights.write_source(ROWS.set_column(3, "x2", pa.array([None, *ROWS["x2"].to_pylist()[1:]])))
    report = score(flights.spark, settings, as_of=AS_OF)
    assert (report.rows_scored, report.rows_rejected) == (59, 1)
    found = [one for reasons in rows_with_reasons(flights)["reasons"] for one in reasons]
    hidden = [one["contribution"] for one in found if one["feature"] == "(sensitive)"]
    assert {one["feature"] for one in found} == {"(sensitive)", "x2"}
    assert (len(hidden), all(value is None or np.isnan(value) for value in hidden)) == (59, True)


def test_the_average_of_a_background_is_the_base_of_a_linear_model(flights: World) -> None:
    flights.write_source(source_rows(40, first=1_000), name="training")
    score(flights.spark, explained(flights, reasons={"top": 2, "background": "training"}), as_of=AS_OF)
    model = flights.registry.models[0]
    mean = source_rows(40, first=1_000).to_pandas()[["x1", "x2"]].mean().to_numpy()
    seen = rows_with_reasons(flights)
    np.testing.assert_allclose(seen["base_value"], model.intercept_[0] + mean @ model.coef_[0], rtol=0, atol=1e-9)
    expected = (ROWS.to_pandas()[["x1", "x2"]].to_numpy() - mean) * model.coef_[0]
    largest = [reasons[0]["contribution"] for reasons in seen["reasons"]]
    np.testing.assert_allclose(largest, expected[np.arange(60), np.abs(expected).argmax(axis=1)], rtol=0, atol=1e-9)


@pytest.mark.slow
def test_reasons_go_on_from_the_pins_of_an_attempt_that_failed(flights: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flights.write_source(source_rows(40, first=1_000), name="training")
    settings = explained(flights, reasons={"top": 2, "background": "training"})
    monkeypatch.setattr("sparkscore.pipelines.shared.publishing.publish_run", _die)
    with pytest.raises(TemporaryError, match="killed"):
        score(flights.spark, settings, as_of=AS_OF)
    monkeypatch.undo()
    flights.write_source(source_rows(10, first=5_000), name="training")  # another average, which is not of these pins
    report = score(flights.spark, settings, as_of=AS_OF)
    assert (report.status, report.model_loads) == ("published", 0)


def _die(*_: Any, **__: Any) -> None:
    raise TemporaryError("killed")


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        (
            {"source": {"passthrough": ["carrier"], "keys": ["id"]}, "output": {"rename": {"carrier": "reasons"}}},
            "reasons make a column reasons",
        ),
        ({"reasons": {"top": 0}}, "greater than or equal to 1"),
        ({"model": {"uri": "models:/late-{carrier}@champion", "by": ["carrier"]}}, "reasons are of one model"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(flights: World, groups: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        explained(flights, **groups)


def test_a_background_without_an_input_of_the_model_is_refused_before_a_row_is_scored(flights: World) -> None:
    flights.write_source(ROWS.drop_columns(["x2"]), name="training")
    with pytest.raises(ConfigError, match=r"reasons\.background lacks x2"):
        score(flights.spark, explained(flights, reasons={"top": 2, "background": "training"}), as_of=AS_OF)
    assert flights.version() == -1
