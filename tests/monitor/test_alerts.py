"""What somebody is told of a run, and what not twice."""

import json
from dataclasses import replace

import pytest

from sparkscore.errors import (
    DuplicateKeys,
    ErrorSummary,
    ExportFailed,
    GateFailed,
    ModelNotFound,
    RegistryUnreachable,
    SparkscoreError,
)
from sparkscore.monitor.alerts import MAX_ALERT_CHARS, alerts_for_report, slack_message, unsent_alerts
from sparkscore.records import RunReport

GOOD = RunReport("flight-delay", "2013-12-31T00:00:00Z", "published", run_id="f" * 64, drifted=0)


def failed(error: SparkscoreError) -> RunReport:
    return replace(GOOD, status="failed", exit_code=error.exit_code, error=ErrorSummary.from_error(error), drifted=None)


def kinds(report: RunReport) -> list[str]:
    return [alert.kind for alert in alerts_for_report(report)]


def test_a_run_that_is_well_tells_nothing() -> None:
    assert alerts_for_report(GOOD) == []
    assert alerts_for_report(replace(GOOD, status="already_published", drifted=None)) == []


@pytest.mark.parametrize("error", [GateFailed("rule broken"), DuplicateKeys("two rows for a key")])
def test_a_gate_that_failed_is_no_other_failure(error: GateFailed) -> None:
    (alert,) = alerts_for_report(failed(error))
    assert alert.kind == "gate_failed"
    assert alert.text == f"{type(error).__name__}: {error.found}"


@pytest.mark.parametrize("error", [ModelNotFound("no model"), RegistryUnreachable("no answer"), SparkscoreError("?")])
def test_any_other_failure_is_one(error: SparkscoreError) -> None:
    assert kinds(failed(error)) == ["run_failed"]


def test_a_failure_without_an_error_tells_its_exit_code() -> None:
    (alert,) = alerts_for_report(replace(GOOD, status="failed", exit_code=1))
    assert alert.text == "exit code 1"


def test_an_export_that_failed_is_told_of_a_run_that_is_published() -> None:
    error = ErrorSummary.from_error(ExportFailed("1 of 2 exports failed"))
    (alert,) = alerts_for_report(replace(GOOD, status="already_published", exit_code=75, error=error))
    assert (alert.kind, alert.text) == ("export_failed", "ExportFailed: 1 of 2 exports failed")
    assert "the predictions are published" in alert.summary


def test_drift_and_sla_are_told_apart_and_are_no_failure_even_where_they_end_the_run() -> None:
    report = replace(
        GOOD, exit_code=5, drifted=2, sla_broken=("published 9 hours after as_of, promised 6", "70 rows/s")
    )
    assert kinds(report) == kinds(replace(report, status="failed")) == ["drift", "sla"]
    drift, sla = alerts_for_report(report)
    assert drift.text == "2 columns have drifted"
    assert sla.text == "published 9 hours after as_of, promised 6; 70 rows/s"
    assert alerts_for_report(replace(report, drifted=1))[0].text == "1 column has drifted"


def test_a_dry_run_tells_nothing() -> None:
    assert kinds(replace(GOOD, status="dry_run", drifted=3)) == []


def test_only_the_first_line_of_an_error_is_told_and_not_all_of_a_long_one() -> None:
    (alert,) = alerts_for_report(failed(ModelNotFound("no model late", "a model of that name", "register it")))
    assert alert.text == "ModelNotFound: no model late"
    (long,) = alerts_for_report(failed(ModelNotFound("x" * 5000)))
    assert len(long.text) == MAX_ALERT_CHARS


def test_the_same_outcome_of_a_retry_is_the_same_alert_whatever_run_it_is() -> None:
    first, retry = (
        failed(GateFailed("rule broken")),
        replace(failed(GateFailed("rule broken")), run_id="e" * 64, attempt=2),
    )
    told = {alert.key for alert in alerts_for_report(first)}
    assert unsent_alerts(alerts_for_report(retry), told) == []
    for other in (
        replace(retry, job="another"),
        replace(retry, as_of="2014-01-01T00:00:00Z"),
        failed(GateFailed("another rule broken")),
        failed(ModelNotFound("rule broken")),
    ):
        assert len(unsent_alerts(alerts_for_report(other), told)) == 1


def test_a_message_names_job_as_of_and_run_of_each_alert() -> None:
    text = json.loads(slack_message(alerts_for_report(replace(GOOD, drifted=1, sla_broken=("late",)))))["text"]
    assert text.splitlines() == [
        "drift: flight-delay, 2013-12-31T00:00:00Z: 1 column has drifted (run ffffffffffff)",
        "SLA broken: flight-delay, 2013-12-31T00:00:00Z: late (run ffffffffffff)",
    ]
    assert (
        "no as_of: late" in alerts_for_report(replace(GOOD, as_of=None, run_id=None, sla_broken=("late",)))[0].summary
    )


def test_what_slack_would_take_for_a_command_is_text() -> None:
    text = json.loads(slack_message(alerts_for_report(failed(GateFailed("<!channel> & <@U1>")))))["text"]
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in text


def test_what_other_servers_would_take_for_a_command_is_text() -> None:
    hostile = "@channel @everyone *bold* _x_ ~y~ `z` http://evil.example/x late@champion"
    sent = json.loads(slack_message(alerts_for_report(failed(GateFailed(hostile)))))
    assert "@\u200bchannel @\u200beveryone *bold* _x_ ~y~ `z` http://evil.example/x late@champion" in sent["text"]
    assert (sent["mrkdwn"], sent["unfurl_links"], sent["unfurl_media"]) == (False, False, False)


def test_an_alert_is_one_line_and_shows_its_controls() -> None:
    report = replace(GOOD, sla_broken=("late\nSLA broken: another job", "\x1b[2J\u202e\ud800"))
    sent = slack_message(alerts_for_report(report))
    (line,) = json.loads(sent)["text"].splitlines()
    assert "late\\nSLA broken: another job; \\x1b[2J\\u202e\\ud800" in line
