"""How long a run is likely to take: what past runs took, in proportion."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.scoring.run_estimates import (
    MOST_PAST_RUNS,
    estimate_run,
    find_past_runs,
    planned_work_lines,
    select_past_runs,
)
from sparkscore.records import PastRun, Pins, PlannedWork, RunEstimate, RunEvent
from tests.world import AS_OF, World

RUN = PastRun("scan", "d1", rows=1000, seconds=60.0, cores=4)


def published(**details: Any) -> RunEvent:
    known = {"transport": "scan", "cores": 4, "seconds": {"pin": 2.0, "score_and_stage": 10.0, "total": 14.0}}
    moment = datetime(2013, 12, 31, tzinfo=UTC)
    pins = Pins("t", 1, "late", "1", "d1", "s")
    event = RunEvent("j", moment, 1, 1, "published", moment, "r", pins, rows_read=60)
    return replace(event, details=json.dumps({**known, **details}))


def estimate(past: list[PastRun], *, rows: int = 1000, cores: int = 4, **prices: float) -> RunEstimate:
    found = estimate_run(past, rows=rows, cores=cores, model_digest="d1", **prices)
    assert found is not None
    return found


@given(rows=st.integers(1, 10**12), factor=st.integers(2, 1000), cores=st.integers(1, 10_000))
def test_law_more_rows_take_as_many_times_as_long_and_more_cores_as_many_times_less(
    rows: int, factor: int, cores: int
) -> None:
    past = [RUN, replace(RUN, seconds=90.0), replace(RUN, seconds=30.0, cores=2)]
    once, more = estimate(past, rows=rows, cores=cores), estimate(past, rows=rows * factor, cores=cores)
    assert more.seconds == pytest.approx(once.seconds * factor)
    assert more.core_hours == pytest.approx(once.core_hours * factor)
    assert estimate(past, rows=rows, cores=cores * factor).seconds == pytest.approx(once.seconds / factor)
    assert once.least_seconds <= once.seconds <= once.most_seconds


def test_twice_the_rows_of_the_only_past_run_take_twice_its_time() -> None:
    assert estimate([RUN], rows=2000).seconds == 120.0


def test_the_median_counts_and_not_the_run_that_was_disturbed() -> None:
    past = [RUN, replace(RUN, seconds=66.0), replace(RUN, seconds=6000.0)]
    found = estimate(past)
    assert (found.seconds, found.least_seconds, found.most_seconds, found.past_runs) == (66.0, 60.0, 6000.0, 3)


def test_the_cost_is_that_of_the_cores_that_are_held_and_of_gpus() -> None:
    hour = replace(RUN, seconds=3600.0, gpu_seconds=1800.0)
    assert estimate([hour]).cost is None
    assert estimate([hour], price_core_hour=0.5).cost == pytest.approx(2.0)
    assert estimate([hour], price_core_hour=0.5, price_gpu_hour=3.0).cost == pytest.approx(3.5)


def test_without_a_past_run_there_is_no_estimate() -> None:
    assert estimate_run([], rows=1, cores=1, model_digest="d1") is None
    work = PlannedWork(1000, "exactly", 3, 4, None)
    assert dict(planned_work_lines(work, "scan"))["duration"] == (
        "no past run with the transport scan to estimate it from"
    )


def test_only_publications_that_say_what_they_took_are_past_runs() -> None:
    whole = published()
    events = [
        whole,
        replace(whole, event="staged"),
        replace(whole, attempt=2),  # it went on from chunks of the first attempt
        replace(whole, rows_read=0),
        published(verb="rollback"),
        published(cores=None),
        published(seconds={}),
    ]
    assert find_past_runs(events) == [PastRun("scan", "d1", 60, 12.0, 4)]


def test_runs_with_the_same_transport_count_and_those_with_the_same_model_first() -> None:
    other_model, other_transport = replace(RUN, model_digest="d2"), replace(RUN, transport="arrow")
    assert select_past_runs([other_transport, other_model], transport="scan", model_digest="d1") == [other_model]
    assert select_past_runs([other_model, RUN], transport="scan", model_digest="d1") == [RUN]
    assert len(select_past_runs([RUN] * 9, transport="scan", model_digest="d1")) == MOST_PAST_RUNS
    assert not estimate([other_model]).same_model


def test_lines_say_how_certain_the_numbers_are() -> None:
    past = [RUN, replace(RUN, seconds=90.0)]
    work = PlannedWork(1_000_000, "at_most", 12, 4, estimate(past, rows=1_000_000, price_core_hour=0.05))
    assert dict(planned_work_lines(work, "scan")) == {
        "rows to score": "at most 1,000,000: with those that a filter leaves out, or that have not changed",
        "splits": "12, on 4 cores at once",
        "duration": "at most 20.8 h, by the median of 2 past runs with this transport, from 16.7 h to 25.0 h",
        "cost": "83.3 core hours; 4.17",
    }


def test_a_plan_says_that_there_is_no_past_run_and_later_estimates_by_it(world: World) -> None:
    settings = world.settings(monitor={"report": False, "mlflow": False, "price_core_hour": 0.05})
    report, lines = preview_plan(world.spark, settings, as_of=AS_OF)
    assert report.plan is not None
    assert (report.plan.rows, report.plan.rows_known, report.plan.estimate) == (60, "exactly", None)
    assert report.plan.splits is not None
    assert "no past run" in dict(lines)["duration"]

    world.begin_with()
    report, lines = preview_plan(world.spark, settings, as_of="2014-01-01")
    assert report.plan is not None
    assert report.plan.estimate is not None
    assert (report.plan.estimate.past_runs, report.plan.estimate.same_model) == (1, True)
    assert report.plan.estimate.cost is not None
    assert "by the past run with this transport" in dict(lines)["duration"]
    assert json.loads(report.to_json())["plan"]["estimate"]["past_runs"] == 1


def test_a_plan_over_a_filter_says_at_most(world: World) -> None:
    where = [{"column": "id", "op": "<", "value": 10}]
    source = {"table": "flights", "keys": ["id"], "passthrough": ["carrier"], "where": where}
    report, _ = preview_plan(world.spark, world.settings(source=source), as_of=AS_OF)
    assert report.plan is not None
    assert report.plan.rows is not None
    assert 10 <= report.plan.rows <= 60  # less where the filter leaves out whole files
    assert report.plan.rows_known == "at_most"


def test_where_spark_cuts_the_source_the_plan_names_no_splits(world: World) -> None:
    report, lines = preview_plan(world.spark, world.settings(scoring={"transport": "arrow"}), as_of=AS_OF)
    assert report.plan is not None
    assert (report.plan.rows, report.plan.splits) == (60, None)
    assert "as Spark cuts them" in dict(lines)["splits"]
