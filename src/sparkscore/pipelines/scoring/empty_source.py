"""Ends an attempt whose source has no rows after the filter; says so where the config expects some."""

from dataclasses import replace

from sparkscore.gate.verdicts import judge_suite, require_passed_verdict
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.monitor.sla_rules import empty_source_rules
from sparkscore.pipelines.monitoring.run_monitoring import report_sla_rules
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RunReport, Snapshot

_ROW_COUNT_TYPES = "expect_table_row_count_"


def finish_empty_run(attempt: Attempt, plan: Plan, decision: Decision) -> RunReport:
    """The report of an attempt that has nothing to score: nothing is published and nothing deleted.

    Rows are expected where the input gate has an expectation about their number, or the SLA a completeness.

    Jobs:    none; a count for such an expectation.
    Raises:  GateFailed; the attempt is then in the run events, and the next one pins anew.
    """
    _report_no_rows(attempt)
    _judge_row_count(attempt, plan.snapshot, decision)
    return _finish_without_rows(attempt)


def finish_run_without_groups(attempt: Attempt, snapshot: Snapshot, decision: Decision) -> RunReport:
    """The same where each group has a model of its own: without a row there is no group, and no plan.

    Jobs:    as `finish_empty_run`.
    Raises:  as `finish_empty_run`.
    """
    attempt.report = replace(attempt.report, rows_read=0)
    _report_no_rows(attempt)
    _judge_row_count(attempt, snapshot, decision)
    return _finish_without_rows(attempt)


def _report_no_rows(attempt: Attempt) -> None:
    attempt.warn("the source has no rows after the filter: nothing scored, nothing published, nothing deleted")
    attempt.report = replace(attempt.report, rows_scored=0, rows_rejected=0)


def _finish_without_rows(attempt: Attempt) -> RunReport:
    report_sla_rules(attempt, empty_source_rules(attempt.settings.sla))
    if attempt.report.sla_broken:
        attempt.report = replace(attempt.report, exit_code=attempt.exit_code)
        attempt.send_run_alerts()
    return attempt.finish("nothing_to_score")


def finish_unchanged_run(attempt: Attempt, decision: Decision) -> RunReport:
    """The report of an increment whose range has no change: no row is published, and none was expected.

    Its events say that the as_of is done, and up to which version: the next increment goes on from there.

    Jobs:    none; small ones where only Spark writes the run events.
    """
    told = attempt.report.increment
    since = "" if told is None else f" after its version {told.since}, up to version {told.until}"
    deleted = 0 if told is None else told.rows_deleted or 0
    kept = f"; the predictions of {deleted:,} deleted rows are kept" if deleted else ""
    attempt.warn(f"nothing changed in {attempt.source.name}{since}: nothing scored, nothing published{kept}")
    attempt.report = replace(attempt.report, rows_read=0, rows_scored=0, rows_rejected=0)
    attempt.record_start(closes=decision.unfinished)
    version = attempt.target.load_newest_version() if attempt.target.exists() else None
    attempt.record_publication(version, removed={})
    return attempt.finish("nothing_to_score")


def _judge_row_count(attempt: Attempt, snapshot: Snapshot, decision: Decision) -> None:
    """Judge what the suite says of the number of rows. What it says of their values is true of no rows."""
    suite = attempt.suites.get("input")
    expectations = () if suite is None else suite.gate_suite.expectations
    counting = tuple(one for one in expectations if one.type.startswith(_ROW_COUNT_TYPES))
    if suite is None or not counting:
        return
    with attempt.phase("input_gate"):
        rows = ingest.snapshot_frame(attempt.spark, snapshot)
        verdict = judge_suite(
            rows, replace(suite, expectations=counting), gate="input", sensitive=attempt.settings.source.sensitive
        )
        attempt.keep_verdict(verdict)
        if verdict.failed_rules:
            attempt.record_start(closes=decision.unfinished)
        require_passed_verdict(verdict)
