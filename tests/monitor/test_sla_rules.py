"""Promises held against run events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparkscore.monitor.sla_rules import empty_source_rules, missed_run_rules, publication_sla_rules
from sparkscore.records import RunEvent
from sparkscore.settings import SlaSettings

AS_OF = datetime(2013, 12, 30, tzinfo=UTC)


def event(kind: Any, hours: float, *, as_of: datetime = AS_OF, attempt: int = 1, **more: Any) -> RunEvent:
    return RunEvent("job", as_of, 1, attempt, kind, as_of + timedelta(hours=hours), **more)


def published(hours: float = 2, **more: Any) -> RunEvent:
    details = json.dumps({"seconds": {"score_and_stage": 4.0}})
    known: dict[str, Any] = {"rows_read": 1000, "rows_scored": 990, "details": details}
    return event("published", hours, **{**known, **more})


@pytest.mark.parametrize(
    ("rule", "observed"),
    [
        ({"published_within_hours": 1}, "2 h after as_of"),
        ({"duration_minutes": 59}, "60 minutes from the first start"),
        ({"completeness": 0.995}, "0.99 of the source's rows have a prediction"),
        ({"rows_per_second": 300}, "247.5 rows/s while scoring"),
        ({"source_age_hours": 2}, "3 h when published"),
    ],
)
def test_a_broken_promise_says_what_was_observed(rule: dict[str, float], observed: str) -> None:
    events = [event("started", 1), published()]
    found = publication_sla_rules(events, SlaSettings(**rule), source_committed_at=AS_OF - timedelta(hours=1))
    assert [(one.kept, one.observed) for one in found] == [(False, observed)]


def test_promises_that_are_kept_are_told_too() -> None:
    sla = SlaSettings(published_within_hours=3, duration_minutes=60, completeness=0.9, rows_per_second=100)
    assert [one.kept for one in publication_sla_rules([event("started", 1), published()], sla)] == [True] * 4


def test_what_nothing_tells_is_not_kept() -> None:
    sla = SlaSettings(source_age_hours=1, completeness=0.5, rows_per_second=1)
    found = publication_sla_rules([published(rows_read=None, details=None)], sla, source_committed_at=None)
    assert [(one.kept, one.observed) for one in found] == [(False, "not known")] * 3


def test_the_first_publication_counts_and_the_first_start() -> None:
    later = published(50)
    events = [event("started", 1), event("failed", 1.5), event("started", 1.9, attempt=2), published(), later]
    found = publication_sla_rules(events, SlaSettings(published_within_hours=2, duration_minutes=60))
    assert [one.kept for one in found] == [True, True]


def test_no_rows_are_incomplete_only_where_a_completeness_is_asked_for() -> None:
    assert empty_source_rules(SlaSettings(published_within_hours=1, fail=True)) == ()
    (rule,) = empty_source_rules(SlaSettings(completeness=0.01))
    assert (rule.kept, rule.observed) == (False, "the source has no rows")


class TestMissed:
    SLA = SlaSettings(every_hours=24, published_within_hours=6)

    def test_a_run_that_never_started_is_found(self) -> None:
        found = missed_run_rules([published()], self.SLA, now=AS_OF + timedelta(hours=30.5))
        assert [(one.rule, one.observed) for one in found] == [("run of 2013-12-31T00:00:00Z", "never started")]
        assert found[0].expected == "published by 2013-12-31T06:00:00Z"

    def test_one_that_is_not_due_yet_is_not(self) -> None:
        assert not missed_run_rules([published()], self.SLA, now=AS_OF + timedelta(hours=29))

    def test_one_that_failed_says_so(self) -> None:
        failed = event("failed", 1, exit_code=3, error="GateFailed")
        found = missed_run_rules([event("started", 0), failed], self.SLA, now=AS_OF + timedelta(hours=7))
        assert [one.observed for one in found] == ["failed with 3 (GateFailed) in attempt 1"]

    def test_one_that_did_not_end_says_so(self) -> None:
        found = missed_run_rules([event("started", 1)], self.SLA, now=AS_OF + timedelta(hours=7))
        assert found[0].observed == "started in attempt 1 at 2013-12-30T01:00:00Z, not published"

    def test_each_missing_one_is_told(self) -> None:
        assert len(missed_run_rules([published()], self.SLA, now=AS_OF + timedelta(days=5, hours=7))) == 5

    def test_one_as_of_can_be_asked_for(self) -> None:
        other = AS_OF - timedelta(days=9)
        found = missed_run_rules([published()], self.SLA, now=AS_OF + timedelta(days=5), as_of=other)
        assert [one.rule for one in found] == ["run of 2013-12-21T00:00:00Z"]
        assert not missed_run_rules([published()], self.SLA, now=AS_OF + timedelta(days=5), as_of=AS_OF)

    def test_without_a_step_only_begun_ones_are_missed(self) -> None:
        assert not missed_run_rules(
            [published()], SlaSettings(published_within_hours=6), now=AS_OF + timedelta(days=50)
        )


def test_an_increment_without_rows_breaks_no_promise_about_rows() -> None:
    sla = SlaSettings(completeness=0.9, rows_per_second=100, published_within_hours=3)
    found = publication_sla_rules([published(rows_read=0, rows_scored=0, details=None)], sla)
    assert [(one.rule, one.kept) for one in found] == [("published within", True)]
