"""What is done with each as_of, by the events and by what is left of the source. Tables are written without Spark."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from sparkscore.errors import ConfigError
from sparkscore.pipelines.backfilling.backfill_plan import JobPast, plan_backfill
from sparkscore.pipelines.backfilling.backfill_request import BackfillRequest
from sparkscore.records import BackfillChoices, EventKind, Pins, PlannedAsOf, RunEvent, TableRef
from sparkscore.settings import Settings
from sparkscore.store.run_events import ensure_events_table, record_events
from sparkscore.store.table import Table
from tests.world import UNWATCHED

DAYS = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(8)]


def event(day: int, kind: EventKind, *, version: str = "1", source: int = 0, **more: Any) -> RunEvent:
    pins = Pins("source", source, "late", version, "digest", "scoring")
    made = RunEvent("late", DAYS[day], 1, 1, kind, DAYS[day] + timedelta(days=700), f"run {day}", pins, rows_scored=60)
    return replace(made, **more)


def failed(day: int, code: int, **more: Any) -> list[RunEvent]:
    return [event(day, "started", **more), event(day, "failed", exit_code=code, error="E", **more)]


@pytest.fixture
def source(tmp_path: Path) -> Table:
    """Versions 0, 1 and 2, of the second, the fourth and the sixth day, at noon."""
    where = tmp_path / "flights"
    for version, day in enumerate((1, 3, 5)):
        write_deltalake(str(where), pa.table({"id": [version]}), mode="append")
        moment = (DAYS[day] + timedelta(hours=12)).timestamp()
        os.utime(where / "_delta_log" / f"{version:020}.json", (moment, moment))
    return Table(None, TableRef("flights", str(where)))


def settings(**groups: Any) -> Settings:
    values: dict[str, Any] = {
        "job": "late",
        "source": {"table": "flights", "keys": ["id"]},
        "model": {"uri": "models:/late@champion"},
        "output": {"table": "predictions"},
        **UNWATCHED,
        **groups,
    }
    return Settings(**values)


def planned(
    events: Sequence[RunEvent], source: Table, /, *, given: Settings | None = None, **choices: Any
) -> list[PlannedAsOf]:
    """The plan of the eight days, with one version of the model where nothing else is said."""
    chosen = {"source": "as_it_is", "model_version": "9", **choices}
    request = BackfillRequest.of(given or settings(), DAYS, BackfillChoices(**chosen))
    runs = Table(None, TableRef("runs", f"{source.path}_runs"))
    if events:
        ensure_events_table(runs, job="late")
        record_events(runs, events)
    return list(plan_backfill(request, JobPast.load(runs, request), source))


def test_a_job_without_a_past_has_all_of_them_to_score(source: Table) -> None:
    assert planned([], source) == [PlannedAsOf(day, "score", None, "9") for day in DAYS]


def test_what_is_published_is_skipped_with_the_exit_code_of_its_monitoring(source: Table) -> None:
    events = [event(0, "published"), event(1, "published"), event(1, "monitored", exit_code=5)]
    found = planned(events, source)
    assert [(one.action, one.exit_code) for one in found[:3]] == [("skip", 0), ("skip", 5), ("score", 0)]


def test_a_publication_that_lacks_its_monitoring_or_an_export_gets_it(source: Table, tmp_path: Path) -> None:
    watched = settings(monitor={"report": True})
    exporting = settings(
        output={
            "table": "predictions",
            "exports": [{"name": "files", "path": str(tmp_path / "files"), "format": "parquet"}],
        }
    )
    assert planned([event(0, "published")], source, given=watched)[0].action == "make_up"
    assert planned([], source, given=exporting)[0].action == "make_up"
    done = event(0, "exported", details='{"export": {"name": "files", "target": "x"}}')
    assert planned([done], source, given=exporting)[0].action == "skip"


@pytest.mark.parametrize(
    ("choices", "action", "version"),
    [
        ({"model_version": None, "model": "as_it_was"}, "continue", "2"),
        ({"model_version": "2"}, "continue", "2"),
        ({"model_version": "9"}, "score", "9"),
    ],
)
def test_an_attempt_that_may_go_on_keeps_its_model_unless_another_version_is_asked_for(
    source: Table, choices: dict[str, Any], action: str, version: str
) -> None:
    past = [event(0, "published"), event(2, "started", version="2"), *failed(4, 75, version="2")]
    found = planned(past, source, **choices)
    assert [(found[day].action, found[day].model_version) for day in (2, 4)] == [(action, version)] * 2


def test_an_attempt_that_failed_for_good_is_begun_anew(source: Table) -> None:
    assert planned(failed(2, 3), source)[2].action == "score"


def test_the_champion_of_then_is_that_of_the_greatest_as_of_before_whenever_it_was_published(source: Table) -> None:
    events = [
        event(0, "published", version="3"),
        event(4, "published", version="1", at=DAYS[0]),
        event(4, "published", version="2", revision=2, run_id="again"),
        event(6, "failed", version="8", exit_code=3),
    ]
    found = planned(events, source, model_version=None)
    assert [one.model_version for one in found] == ["3", "3", "3", "3", "2", "2", "2", "2"]


def test_after_an_attempt_that_goes_on_its_model_is_the_champion(source: Table) -> None:
    found = planned([event(0, "started", version="7")], source, model_version=None)
    assert [(one.action, one.model_version) for one in found] == [("continue", "7"), *[("score", "7")] * 7]


def test_a_model_of_another_name_was_no_champion(source: Table) -> None:
    other = event(0, "published")
    assert other.pins is not None
    with pytest.raises(ConfigError, match=r"no publication before 7 as_ofs .*2013-01-02"):
        planned([replace(other, pins=replace(other.pins, model_name="early"))], source, model_version=None)


def test_each_as_of_has_the_version_of_then_and_what_was_before_the_first_one_is_missing(source: Table) -> None:
    found = planned([], source, source="as_it_was")
    assert [one.source_version for one in found] == [None, None, 0, 0, 1, 1, 2, 2]
    assert [one.action for one in found] == ["missing"] * 2 + ["score"] * 6


def test_versions_that_are_gone_are_missing_those_of_open_attempts_too(source: Table) -> None:
    (first,) = DeltaTable(str(source.path), version=0).file_uris()
    write_deltalake(str(source.path), pa.table({"id": [9]}), mode="overwrite")
    Path(first.removeprefix("file://")).unlink()
    open_attempt = event(7, "started", version="9", source=1)
    found = planned([open_attempt], source, source="as_it_is")
    assert [one.action for one in found] == ["score"] * 7 + ["missing"]
    fixed = settings(source={"table": "flights", "keys": ["id"], "version": 2})
    (only,) = {one.action for one in planned([], source, given=fixed, source=None)}
    assert only == "missing"


def test_as_ofs_that_retention_removes_again_are_refused_but_not_where_they_are_published(source: Table) -> None:
    short = settings(output={"table": "predictions", "retention_days": 30})
    with pytest.raises(ConfigError, match="7 as_ofs are older than output"):
        planned([event(0, "published")], source, given=short)
    all_published = [event(day, "published") for day in range(1, 8)]
    assert {one.action for one in planned(all_published, source, given=short)} == {"skip"}


def test_increments_that_others_have_followed_are_left_out_but_not_those_that_were_begun(source: Table) -> None:
    increments = settings(source={"table": "flights", "keys": ["id"], "read": "changes"})
    events = [event(3, "published"), event(1, "started", version="9")]
    found = planned(events, source, given=increments)
    assert [one.action for one in found] == ["leave_out", "continue", "leave_out", "skip", *["score"] * 4]


def test_versions_of_many_moments_are_those_of_each(source: Table) -> None:
    noons = [day + timedelta(hours=12) for day in DAYS]
    found = source.find_versions_at([*DAYS, *noons])
    assert [found[one] for one in (*DAYS[:2], noons[0])] == [None] * 3
    later = [*DAYS[2:], *noons[1:]]
    assert [found[one] for one in later] == [source.find_version_at(one) for one in later]
