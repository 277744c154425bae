"""What a run reads of its job's events: the same by deltalake and by Spark, and never all of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ForeignTable, ScanUnsupported
from sparkscore.pipelines.shared.job_events import JobEvents, load_named_run
from sparkscore.pipelines.shared.run_pages import trend_events
from sparkscore.records import EventKind, Pins, PublicationKey, RunEvent, TableRef
from sparkscore.schemas import RUNS_CONTRACT
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.run_events import (
    ensure_events_table,
    load_chosen_events,
    load_event_heads,
    load_events,
    load_run_index,
    record_events,
)
from sparkscore.store.table import Table

FIRST = datetime(2013, 12, 29, 23, 30, tzinfo=UTC)
PINS = Pins("source", 1, "model", "1", "digest", "scoring")
Opener = Callable[[], Table]


def event(day: int, kind: EventKind, minute: int = 0, **values: Any) -> RunEvent:
    at = FIRST + timedelta(days=day, minutes=minute)
    own = RunEvent("job", FIRST + timedelta(days=day), 1, 1, kind, at, f"run-{day}", PINS, details='{"verb": "score"}')
    return replace(own, **values)


ATTEMPTS = [
    [event(2, "started"), event(2, "failed", 1, exit_code=3)],
    [event(1, "started"), event(1, "staged", 1), event(1, "published", 2), event(1, "monitored", 3)],
    [event(0, "started", run_id=None, pins=None), event(0, "published", 1), event(0, "aborted", 2, attempt=2)],
    [event(1, "published", 9, revision=2, run_id="run-1b", details='{"verb": "rollback", "of_run": "run-1"}')],
]


@pytest.fixture(params=["deltalake", "spark"])
def opened(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Opener:
    """The job's events, written and read by one of the two ways, with the other one closed."""

    def closed(_: Any) -> Any:
        raise ScanUnsupported("a place that only Spark reaches")

    if request.param == "spark":
        monkeypatch.setattr(Table, "location", property(closed))
        monkeypatch.setattr(Table, "log", property(closed))
    ref, session = TableRef("r", str(tmp_path / "r")), spark if request.param == "spark" else None
    table = Table(session, ref)
    if session is None:
        create_directly(table, RUNS_CONTRACT, job="job")
    else:
        ensure_events_table(table, job="job")
    for events in ATTEMPTS:
        record_events(table, events)
    return lambda: Table(session, ref)


def test_events_come_back_as_they_were_recorded_oldest_first(opened: Opener) -> None:
    found = load_events(opened(), job="job")
    assert found == [*ATTEMPTS[2], *ATTEMPTS[1], *ATTEMPTS[3], *ATTEMPTS[0]]


def test_events_of_some_as_ofs_come_alone(opened: Opener) -> None:
    assert load_events(opened(), job="job", as_ofs=[FIRST, FIRST + timedelta(days=2)]) == [*ATTEMPTS[2], *ATTEMPTS[0]]
    assert load_events(opened(), job="job", as_ofs=[FIRST + timedelta(hours=1)]) == []


def test_the_index_names_all_as_ofs_and_the_newest_publication_of_each(opened: Opener) -> None:
    days = [FIRST + timedelta(days=day) for day in range(3)]
    found = load_run_index(opened(), job="job")
    assert found.as_ofs == tuple(days)
    assert found.publications == (PublicationKey(days[0], "run-0"), PublicationKey(days[1], "run-1b"))


def test_the_rows_of_a_rollback_were_scored_by_the_run_that_it_names(opened: Opener) -> None:
    events = JobEvents.open(opened(), job="job")
    found = events.load_scoring_publications(events.index.publications)
    assert [one.run_id for one in found] == ["run-0", "run-1"]


def test_a_trend_of_the_newest_as_ofs_is_the_end_of_the_trend_of_all(opened: Opener) -> None:
    events = JobEvents.open(opened(), job="job")
    assert (
        trend_events(events.load_as_ofs(events.index.as_ofs[-2:])) == trend_events(load_events(opened(), job="job"))[1:]
    )


def test_the_heads_of_events_are_all_of_them_without_what_is_large(opened: Opener) -> None:
    events, heads = load_events(opened(), job="job"), load_event_heads(opened(), job="job")
    assert [head.details for head in heads] == [None] * len(events)
    assert heads == [replace(event, pins=None, details=None) for event in events]


def test_events_that_are_chosen_by_their_heads_come_whole_and_in_the_order_of_the_choice(opened: Opener) -> None:
    table, all_events = opened(), load_events(opened(), job="job")
    seen: list[RunEvent] = []

    def choose(heads: Sequence[RunEvent]) -> list[RunEvent]:
        seen.extend(heads)
        return [heads[-1], *[head for head in heads if head.event == "published"]]

    chosen = load_chosen_events(table, job="job", choose=choose)
    assert seen == load_event_heads(table, job="job")
    assert chosen == [all_events[-1], *[event for event in all_events if event.event == "published"]]
    assert load_chosen_events(table, job="job", choose=lambda _: []) == []
    assert load_chosen_events(table, job="job", choose=list, as_ofs=[FIRST]) == ATTEMPTS[2]


def test_a_run_is_found_by_the_beginning_of_its_id(opened: Opener) -> None:
    table = opened()
    record_events(table, [event(3, "failed", run_id="0123456789")])
    assert load_named_run(table, job="job", run="01234567") == [event(3, "failed", run_id="0123456789")]
    with pytest.raises(ConfigError, match="no run 01234568"):
        load_named_run(table, job="job", run="01234568")


def test_a_trend_reads_the_whole_of_the_events_that_it_shows(opened: Opener) -> None:
    events = JobEvents.open(opened(), job="job")
    assert events.load_newest(2, trend_events) == list(trend_events(load_events(opened(), job="job"))[1:])


def test_what_another_job_owns_is_refused(opened: Opener) -> None:
    for load in (load_events, load_event_heads, load_run_index):
        with pytest.raises(ForeignTable):
            load(opened(), job="other")


def test_without_a_table_there_are_none(spark: SparkSession, tmp_path: Path) -> None:
    absent = Table(spark, TableRef("r", str(tmp_path / "absent")))
    assert load_events(absent, job="job") == load_event_heads(absent, job="job") == []
    assert load_chosen_events(absent, job="job", choose=list) == []
    assert load_run_index(absent, job="job").as_ofs == ()
