"""Whole back-fills of a small job."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from deltalake import DeltaTable
from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession

from sparkscore import backfill, score
from sparkscore.errors import ConfigError, SessionLost, SparkNeeded, SparkscoreError, TemporaryError, VersionGone
from sparkscore.pipelines.shared.publishing import publish_stage
from sparkscore.pipelines.shared.run_history import decide_run
from sparkscore.records import BackfillReport
from tests.faults.checker import Expected, check
from tests.world import World, source_rows

FIRST = date(2013, 1, 1)


def day(number: int) -> str:
    """The as_of of a day of January."""
    return (FIRST + timedelta(days=number - 1)).isoformat()


def backfilled(world: World, first: int, last: int, **choices: Any) -> BackfillReport:
    """A back-fill of days of January, by what is now where nothing else is said."""
    groups = choices.pop("groups", {})
    chosen = {"source": "as_it_is", "model": "as_it_is", **choices}
    return backfill(world.spark, world.settings(**groups), first=day(first), last=day(last), **chosen)


def expected(first: int, last: int, *, version: int = 1, rows: int = 60) -> list[Expected]:
    """What readers see of these days."""
    return [Expected(source_rows(rows), day(number), version) for number in range(first, last + 1)]


def statuses(report: BackfillReport) -> list[str]:
    """Of the as_ofs, in order."""
    return [run.status for run in report.runs]


def commit_on(world: World, *days: int) -> None:
    """The versions of the source were committed at noon of these days, one after the other."""
    for version, number in enumerate(days):
        moment = datetime(2013, 1, number, 12, tzinfo=UTC).timestamp()
        os.utime(Path(world.path("flights"), "_delta_log", f"{version:020}.json"), (moment, moment))


@pytest.fixture
def grown(world: World) -> World:
    """A source that had 60 rows on the 1st, 80 on the 3rd, and has 90 from the 5th on."""
    world.write_source(source_rows(80))
    world.write_source(source_rows(90))
    commit_on(world, 1, 3, 5)
    return world


@contextmanager
def failing(*days: int) -> Iterator[None]:
    """A block in which the publications of these days fail for now."""
    original = publish_stage

    def publish(attempt: Any, *given: Any, **named: Any) -> Any:
        if attempt.as_of.date() in [FIRST + timedelta(days=number - 1) for number in days]:
            raise TemporaryError(f"no {attempt.as_of.date()}")
        return original(attempt, *given, **named)

    with patch("sparkscore.pipelines.score.publish_stage", publish):
        yield


def test_each_as_of_is_published_once_and_the_next_call_has_nothing_to_do(world: World) -> None:
    score(world.spark, world.settings(), as_of=day(2))
    before = sys.stdout
    report = backfilled(world, 1, 4, parallel=2)
    assert sys.stdout is before
    assert (report.status, report.exit_code) == ("backfilled", 0)
    assert statuses(report) == ["published", "already_published", "published", "published"]
    assert (report.rows_scored, report.counts) == (180, {"published": 3, "already_published": 1})
    check(world.home, world.registry, expected(1, 4))
    again = backfill(None, world.settings(), first=day(1), last=day(4), source="as_it_is")
    assert (again.status, statuses(again)) == ("nothing_to_do", ["already_published"] * 4)


@pytest.mark.slow
def test_a_model_is_loaded_once_per_worker_however_many_as_ofs(world: World) -> None:
    world.registry.alias(2)
    report = backfilled(world, 1, 6, parallel=2)
    assert statuses(report) == ["published"] * 6
    assert report.model_loads <= world.spark.sparkContext.defaultParallelism


def test_the_source_is_scored_as_it_was_however_old_its_versions_are(grown: World) -> None:
    report = backfilled(grown, 2, 6, source="as_it_was")
    assert [(run.source_version, run.rows_scored) for run in report.runs] == [
        *[(0, 60)] * 2,
        *[(1, 80)] * 2,
        (2, 90),
    ]
    check(grown.home, grown.registry, [*expected(2, 3), *expected(4, 5, rows=80), *expected(6, 6, rows=90)])


def test_all_gaps_of_the_source_are_named_at_once_and_can_be_left_out(grown: World) -> None:
    for file in DeltaTable(grown.path("flights"), version=1).file_uris():
        Path(file.removeprefix("file://")).unlink()
    wanted: dict[str, Any] = {"source": "as_it_was", "first": "2012-12-31", "last": day(6), "model": "as_it_is"}
    with pytest.raises(VersionGone, match="4 of 7 as_ofs have no version of flights left") as caught:
        backfill(grown.spark, grown.settings(), **wanted)
    told = str(caught.value)
    assert "2012-12-31T00:00:00Z to 2013-01-01T00:00:00Z (the source had no version then" in told
    assert "2013-01-04T00:00:00Z to 2013-01-05T00:00:00Z (VACUUM has removed files" in told
    assert isinstance(caught.value.report, BackfillReport)
    assert (caught.value.report.exit_code, caught.value.report.counts["missing"]) == (2, 4)
    assert grown.version() == -1
    report = backfill(grown.spark, grown.settings(), **wanted, skip_missing=True)
    assert (report.exit_code, report.counts) == (0, {"missing": 4, "published": 3})


def test_the_champion_of_then_is_that_of_the_publication_before(world: World) -> None:
    score(world.spark, world.settings(), as_of=day(1))
    world.registry.alias(2)
    score(world.spark, world.settings(), as_of=day(4))
    report = backfilled(world, 1, 6, model="as_it_was")
    assert [run.model_version for run in report.runs] == ["1", "1", "1", "2", "2", "2"]
    check(world.home, world.registry, [*expected(1, 3), *expected(4, 6, version=2)])
    with pytest.raises(ConfigError, match="no publication before 2 as_ofs tells which version of late"):
        backfill(
            world.spark, world.settings(), first="2012-12-30", last="2012-12-31", source="as_it_is", model="as_it_was"
        )


def test_a_failed_as_of_stops_no_other_and_the_next_call_makes_up_for_it(world: World) -> None:
    with failing(2), pytest.raises(TemporaryError, match="1 of 3 runs failed") as caught:
        backfilled(world, 1, 3)
    report = caught.value.report
    assert isinstance(report, BackfillReport)
    assert (report.exit_code, statuses(report)) == (75, ["published", "failed", "published"])
    world.registry.alias(2)
    again = backfilled(world, 1, 3)
    (continued,) = [run for run in again.runs if run.action == "continue"]
    assert (continued.model_version, continued.attempt, continued.status) == ("1", 2, "published")
    check(world.home, world.registry, expected(1, 3))


@pytest.mark.slow
def test_after_a_failure_no_other_is_begun_where_that_is_wanted(world: World) -> None:
    with failing(2), pytest.raises(TemporaryError) as caught:
        backfilled(world, 1, 4, fail_fast=True)
    assert isinstance(caught.value.report, BackfillReport)
    assert statuses(caught.value.report) == ["published", "failed", "not_started", "not_started"]


def test_after_spark_has_ended_no_other_is_begun_and_each_is_told(world: World) -> None:
    def wrap(_: SparkSession) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """As the one of PySpark, whose threads take their properties to a JVM that may have ended."""

        def lose(*_: Any) -> None:
            raise Py4JNetworkError("Answer from Java side is empty")

        return lambda run: lose if next(begun) else run

    begun = iter([False, True, True, True])
    with (
        patch("sparkscore.pipelines.backfilling.as_of_runs.inheritable_thread_target", wrap),
        pytest.raises(SessionLost, match="1 of 4 runs failed") as caught,
    ):
        backfilled(world, 1, 4, parallel=1)
    report = caught.value.report
    assert isinstance(report, BackfillReport)
    assert statuses(report) == ["published", "failed", "not_started", "not_started"]
    assert [(run.exit_code, run.error and run.error.class_name) for run in report.runs][1] == (75, "SessionLost")


def test_what_no_retry_mends_decides_the_exit_code(grown: World) -> None:
    grown.write_source(source_rows(60).drop_columns(["x2"]))
    commit_on(grown, 1, 3, 5, 6)
    with failing(2), pytest.raises(SparkscoreError, match="2 of 3 runs failed") as caught:
        backfill(
            grown.spark, grown.settings(), first=day(2), last=day(8), every="3d", source="as_it_was", model="as_it_is"
        )
    report = caught.value.report
    assert isinstance(report, BackfillReport)
    assert [(run.status, run.exit_code) for run in report.runs] == [("failed", 75), ("published", 0), ("failed", 4)]
    assert (report.exit_code, caught.value.exit_code) == (4, 4)


@pytest.mark.slow
def test_two_at_once_publish_each_as_of_once_and_both_end_well(world: World) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(backfilled, world, 1, 4, parallel=2) for _ in range(2)]
        reports = [one.result() for one in made]
    assert [report.exit_code for report in reports] == [0, 0]
    assert {status for report in reports for status in statuses(report)} <= {"published", "already_published"}
    assert sum(report.counts.get("published", 0) for report in reports) == 4
    check(world.home, world.registry, expected(1, 4))


def test_the_plan_is_shown_without_spark_and_nothing_is_written(grown: World) -> None:
    report = backfill(
        None,
        grown.settings(),
        first=day(1),
        last=day(3),
        source="as_it_was",
        model_version=2,
        dry_run=True,
    )
    assert (report.status, report.model) == ("dry_run", "version 2")
    assert [(run.status, run.source_version, run.model_version) for run in report.runs] == [
        ("missing", None, "2"),
        ("planned", 0, "2"),
        ("planned", 0, "2"),
    ]
    assert "it would end with 2" in report.warnings[0]
    assert (grown.version(), grown.version("predictions_runs")) == (-1, -1)
    with pytest.raises(SparkNeeded):
        backfill(None, grown.settings(), first=day(2), last=day(3), source="as_it_was", model_version=2)


def test_somebody_who_publishes_with_another_model_meanwhile_is_not_in_the_way(world: World) -> None:
    original, once = decide_run, iter([1])

    def overtaken(attempt: Any, **flags: Any) -> Any:
        for _ in once:
            score(world.spark, world.settings(model={"uri": "models:/late/2"}), as_of=day(1))
        return original(attempt, **flags)

    with patch("sparkscore.pipelines.score.decide_run", overtaken):
        report = backfilled(world, 1, 1)
    assert (report.exit_code, statuses(report)) == (0, ["already_published"])
    check(world.home, world.registry, expected(1, 1, version=2))


@pytest.mark.slow
def test_what_a_publication_lacks_of_its_monitoring_is_made_up_for(world: World) -> None:
    watched = {"groups": {"profile": {"rows": "all"}}}
    with (
        patch("sparkscore.pipelines.shared.publishing.monitor_run", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        score(world.spark, world.settings(profile={"rows": "all"}), as_of=day(1))
    report = backfilled(world, 1, 1, **watched)
    assert [(run.action, run.status) for run in report.runs] == [("make_up", "already_published")]
    assert world.table("predictions_profile").count() > 0
    assert backfilled(world, 1, 1, **watched).status == "nothing_to_do"
