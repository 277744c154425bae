"""What the page of a run tells, made anew from its events: pure, no Spark."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparkscore.monitor.report.page import run_page
from sparkscore.pipelines.shared.report_codec import SUPERSEDED_BY, decode_run_report, encode_run_report
from sparkscore.records import (
    Pins,
    ReportedExport,
    ReportedGroup,
    ReportedGroups,
    ReportedModel,
    ReportedSource,
    RunEvent,
    RunReport,
)
from tests.monitor.report.pages import NOTHING, words

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
PINS = Pins("table-id", 3, "flight-delay", "1", "abc", "def")
REPORT = RunReport(
    "job",
    "2013-12-31T00:00:00Z",
    "published",
    run_id="ab" * 32,
    revision=1,
    attempt=1,
    rows_read=60,
    rows_scored=50,
    rows_rejected=10,
    model=ReportedModel("flight-delay", "1", "m-1", "abc"),
    source=ReportedSource("flights", 3),
    table="predictions",
    table_version=7,
    transport="scan",
    transport_reason="all of it",
    model_loads=0,
    warnings=("slow",),
    seconds={"score_and_stage": 2.0, "total": 60.0},
    rows_per_second=25,
    executors={"rows": 60.0},
    model_counts={"prompt_tokens": 17_170, "cost": 0.25},
)


def event(kind: Any, attempt: int = 1, /, **facts: Any) -> RunEvent:
    """An event, a minute after the attempt's start unless it is the start."""
    at = AS_OF + timedelta(hours=attempt, minutes=0 if kind == "started" else 1)
    known: dict[str, Any] = {"run_id": "ab" * 32, "pins": PINS, "source_table": "flights", "model_id": "m-1"}
    return RunEvent("job", AS_OF, 1, attempt, kind, at, **(known | facts))


def page(*events: RunEvent) -> str:
    """What a person reads of them."""
    return words(run_page(replace(NOTHING, report=decode_run_report(events, "predictions"))))


@pytest.mark.parametrize("error", ["DeadlinePassed", "RegistryUnreachable", "TemporaryError", "a class of later"])
def test_a_run_that_ended_with_75_is_told_that_a_retry_helps(error: str) -> None:
    said = page(event("started"), event("failed", exit_code=75, error=error, message="gone"))
    assert "Failed" in said
    assert "A retry may help." in said
    assert "will not help" not in said


@pytest.mark.parametrize(("error", "code"), [("GateFailed", 3), ("SignatureError", 4), ("Py4JJavaError", 1)])
def test_any_other_failure_is_told_to_need_a_cure(error: str, code: int) -> None:
    said = page(event("started"), event("failed", exit_code=code, error=error, message="bad"))
    assert "A retry will not help until the cause is removed." in said


@pytest.mark.parametrize(
    ("last", "title"),
    [
        (event("aborted", message="never ended; closed by the next attempt"), "Aborted"),
        (
            event("aborted", message="superseded by revision 2", details=json.dumps({SUPERSEDED_BY: 2})),
            "Superseded by a newer revision",
        ),
        (event("staged"), "Not ended"),
    ],
    ids=["aborted", "superseded", "unfinished"],
)
def test_what_did_not_fail_is_not_called_failed(last: RunEvent, title: str) -> None:
    said = page(event("started"), last)
    assert title in said
    assert (last.message or "") in said
    for word in ("Failed", "failed", "exit code", "retry"):
        assert word not in said


def test_an_attempt_that_published_has_nothing_of_the_failure_before_it() -> None:
    failed = event("failed", exit_code=75, error="RegistryUnreachable", message="no answer")
    made = decode_run_report((event("started"), failed, event("started", 2), event("published", 2)), "predictions")
    assert (made.status, made.exit_code, made.error) == ("published", 0, None)


def test_a_broken_promise_is_the_exit_code_of_a_published_run() -> None:
    rule = {"rule": "within 6 hours", "kept": False}
    told = event("monitored", exit_code=5, details=json.dumps({"drifted": 2, "sla": [rule]}))
    made = decode_run_report((event("started"), event("published"), told), "predictions")
    assert (made.status, made.exit_code, made.drifted) == ("published", 5, 2)
    assert made.sla_broken == ("within 6 hours",)


def test_what_an_event_keeps_of_a_report_comes_back() -> None:
    kept = encode_run_report(REPORT, event("published", table_version=7), details={"verb": "score"})
    made = decode_run_report((event("started"), kept), "predictions")
    assert kept.verb == "score"
    assert json.loads(made.to_json()) == json.loads(REPORT.to_json())


def test_the_last_word_on_an_export_is_that_of_a_published_run() -> None:
    tried: dict[str, Any] = {
        "name": "bi",
        "format": "csv",
        "target": "/bi",
        "status": "failed",
        "error": "no space left",
    }
    failed = event("exported", exit_code=75, error="ExportFailed", details=json.dumps({"export": tried}))
    made_up: dict[str, Any] = {**tried, "status": "exported", "rows": 50, "error": None}
    later = event("exported", exit_code=0, details=json.dumps({"export": made_up}))
    before = (event("started"), event("published"), failed)
    found = decode_run_report(before, "predictions")
    assert (found.status, found.exit_code, found.exports[0].error) == ("published", 75, "no space left")
    found = decode_run_report((*before, later), "predictions")
    assert (found.status, found.exit_code, found.exports) == ("published", 0, (ReportedExport(**made_up),))


def test_the_groups_of_a_run_are_told_again() -> None:
    groups = ReportedGroups(
        2000, 1999, 1, (ReportedGroup("store 'a'", "line-a version 1", 7), ReportedGroup("b", None))
    )
    told = encode_run_report(replace(REPORT, groups=groups), event("published"), details={})
    assert decode_run_report([event("started"), told], "predictions").groups == groups
    said = page(event("started"), told)
    for words_of_it in ("2,000", "1,999", "1 without a model", "Group store 'a'", "line-a version 1", "7 rows"):
        assert words_of_it in said


def test_the_page_says_what_the_model_itself_has_counted() -> None:
    text = words(run_page(replace(NOTHING, report=REPORT)))
    assert "Counted by the model: prompt tokens" in text
    assert "17,170" in text
