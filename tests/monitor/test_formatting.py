"""What people read."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.table import Table

from sparkscore.monitor.formatting import (
    describe_run,
    events_table,
    maintenance_table,
    rejects_table,
    rows_table,
    sla_table,
    suite_check_table,
)
from sparkscore.monitor.screen import Screen
from sparkscore.monitor.visible import visible_text
from sparkscore.records import (
    MaintenanceReport,
    RejectCount,
    ReportedModel,
    ReportedSource,
    RuleVerdict,
    RunEvent,
    RunReport,
    SkippedStep,
    SlaRule,
)
from tests.monitor.hostile import RAW, VALUES

REPORT = RunReport(
    "job",
    "2013-12-31T00:00:00Z",
    "published",
    rows_scored=84292,
    rows_rejected=3,
    rows_per_second=1000.0,
    model=ReportedModel("flight-delay", "1"),
    source=ReportedSource("flights", 4),
    table="predictions",
    table_version=1,
    seconds={"total": 12.34},
)


def printed(table: Table | str) -> str:
    console = Screen(io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_publication_tells_counts_seconds_model_source_and_table() -> None:
    said = describe_run(REPORT)
    for part in (
        "84,292 predictions",
        "3 rows rejected",
        "12.3 s",
        "1,000 rows/s",
        "flight-delay version 1",
        "version 4",
        "table predictions",
    ):
        assert part in said


def test_something_newer_is_told_with_what_takes_it() -> None:
    said = describe_run(replace(REPORT, status="already_published", newer={"model_version": "2"}))
    assert "nothing done" in said
    assert "newer: model_version 2 (--replace takes it)" in said


def test_nothing_to_score_is_told_without_a_table() -> None:
    said = describe_run(RunReport("job", "2013-12-31T00:00:00Z", "nothing_to_score", seconds={"total": 1.0}))
    assert said.startswith("nothing to score")
    assert "table" not in said


def test_a_retry_without_success_does_not_blame_the_source() -> None:
    report = RunReport("job", "2013-12-31T00:00:00Z", "nothing_to_score", rows_read=60, seconds={"total": 1.0})
    assert "no rejected row could be scored" in describe_run(report)


def test_rejects_are_a_line_per_run_and_reason() -> None:
    moment = datetime(2013, 12, 31, tzinfo=UTC)
    shown = printed(
        rejects_table(
            [
                RejectCount(moment, "f" * 64, "predict_failed", "KeyError", 1200),
                RejectCount(moment, "e" * 64, "null_key", None, 2),
            ]
        )
    )
    assert "2013-12-31T00:00:00Z ffffffffffff predict_failed KeyError 1,200" in " ".join(shown.split())
    assert "null_key 2" in " ".join(shown.split())


def test_events_show_the_first_line_of_their_message() -> None:
    moment = datetime(2013, 12, 31, tzinfo=UTC)
    event = RunEvent(
        "job", moment, 1, 2, "failed", moment, "f" * 64, rows_scored=84292, exit_code=3, message="broken\n  do: mend"
    )
    shown = printed(events_table([event]))
    assert "broken" in shown
    assert "mend" not in shown
    assert "84,292" in shown
    assert "ffffffffffff " in shown


def test_floats_of_a_row_have_four_digits() -> None:
    assert "0.1235" in printed(rows_table(["a", "b"], [(0.123456, "x")]))


def test_an_upkeep_tells_what_each_step_did_and_what_it_left() -> None:
    skipped = SkippedStep("vacuum", "predictions", "the job second reads version 3")
    report = MaintenanceReport(
        "job", "maintained", expired_before="2013-12-01", as_of_expired=2, predictions_expired=84292
    )
    said = printed(maintenance_table(replace(report, files_vacuumed=7, skipped=(skipped,))))
    for part in (
        "2 as_of before 2013-12-01: 84,292 predictions",
        "7 files",
        "vacuum: skipped",
        "second reads version 3",
    ):
        assert part in said
    planned = printed(maintenance_table(MaintenanceReport("job", "dry_run")))
    assert "would do" in planned
    assert "everything is kept" in planned


@pytest.mark.parametrize("value", VALUES)
def test_no_value_is_markup_in_what_any_verb_shows(value: str) -> None:
    moment = datetime(2013, 12, 31, tzinfo=UTC)
    failed = RunEvent("job", moment, 1, 1, "failed", moment, message=value.replace("\u2028", ""))
    shown: dict[str, Table | str] = {
        "score": describe_run(replace(REPORT, model=ReportedModel(value, "1"), sla_broken=(value,), report=value)),
        "sample": rows_table([value], [(value,)]),
        "runs": events_table([failed]),
        "gate": suite_check_table([(RuleVerdict(value, False, value, value), 0.5, False, [value])]),
        "sla": sla_table([SlaRule(value, False, value, value)]),
        "rejects": rejects_table([RejectCount(moment, "f" * 64, "predict_failed", value, 1)]),
        "maintain": maintenance_table(
            MaintenanceReport("job", "maintained", skipped=(SkippedStep("vacuum", value, value),))
        ),
    }
    for verb, one in shown.items():
        said = printed(one)
        if not (verb == "runs" and "\r" in value):  # of a message, the first line is shown
            assert visible_text(value.replace("\u2028", "") if verb == "runs" else value) in said, verb
        assert not RAW & set(said), verb
