"""`conf/quickstart.yaml` names what the quickstart makes."""

from pathlib import Path

import pytest

from sparkscore.demo import contracts, registry
from sparkscore.demo.flights import FlightTables
from sparkscore.demo.recipe import INPUTS, LAST_TRAINING_MONTH, flight_inputs, late_labels, with_outcome
from sparkscore.demo.registry import Candidate
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suites import check_suite_columns
from sparkscore.settings import Settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings.load(Path(__file__).parents[2] / "conf" / "quickstart.yaml", environ={})


def test_model_table_and_columns_are_those_of_the_demo(settings: Settings) -> None:
    assert settings.model.uri == f"models:/{registry.MODEL_NAME}@{registry.ALIAS}"
    assert settings.source.table == "flights"
    assert {*settings.source.keys, *settings.source.passthrough} <= set(contracts.FLIGHTS.names)


def test_only_months_that_the_model_has_not_seen_are_scored(settings: Settings) -> None:
    conditions = [(condition.column, condition.op, condition.value) for condition in settings.source.where]
    assert conditions == [("month", ">=", LAST_TRAINING_MONTH + 1)]


def test_the_suites_judge_only_columns_that_a_run_reads_or_writes(settings: Settings) -> None:
    shared = [*settings.source.keys, *settings.source.passthrough]
    check_suite_columns(load_suite(str(settings.gate.input)), [*shared, *INPUTS])
    check_suite_columns(load_suite(str(settings.gate.output)), [*shared, "prediction", "label"])


def test_the_threshold_calls_as_many_training_flights_late_as_were(
    settings: Settings, frames: FlightTables, candidate: Candidate
) -> None:
    learned = with_outcome(frames.flights[frames.flights["month"] <= LAST_TRAINING_MONTH])
    called = candidate.model.predict_proba(flight_inputs(learned))[:, 1] >= settings.output.threshold
    assert called.mean() == pytest.approx(late_labels(learned).mean(), abs=0.005)
