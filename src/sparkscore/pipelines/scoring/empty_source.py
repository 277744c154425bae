"""Ends an attempt whose source has no rows after the filter; says so where the config expects some."""

from dataclasses import replace

from sparkscore.gate.verdicts import judge_suite, require_passed_verdict
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.monitor.sla_rules import empty_source_rules
from sparkscore.pipelines.monitoring.run_monitoring import report_sla_rules
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RunReport

_ROW_COUNT_TYPES = "expect_table_row_count_"


def finish_empty_run(attempt: Attempt, plan: Plan, decision: Decision) -> RunReport:
    """The report of an attempt that has nothing to score: nothing is published and nothing deleted.

    Rows are expected where the input gate has an expectation about their number, or the SLA a completeness.

    Jobs:    none; a count for such an expectation.
    Raises:  GateFailed; the attempt is then in the run events, and the next one pins anew.
    """
    attempt.warn("the source has no rows after the filter: nothing scored, nothing published, nothing deleted")
    attempt.report = replace(attempt.report, rows_scored=0, rows_rejected=0)
    _judge_row_count(attempt, plan, decision)
    report_sla_rules(attempt, empty_source_rules(attempt.settings.sla))
    if attempt.report.sla_broken:
        attempt.report = replace(attempt.report, exit_code=attempt.exit_code)
        attempt.send_run_alerts()
    return attempt.finish("nothing_to_score")


def _judge_row_count(attempt: Attempt, plan: Plan, decision: Decision) -> None:
    """Judge what the suite says of the number of rows. What it says of their values is true of no rows."""
    suite = attempt.suites.get("input")
    expectations = () if suite is None else suite.gate_suite.expectations
    counting = tuple(one for one in expectations if one.type.startswith(_ROW_COUNT_TYPES))
    if suite is None or not counting:
        return
    with attempt.phase("input_gate"):
        rows = ingest.snapshot_frame(attempt.spark, plan.snapshot)
        verdict = judge_suite(
            rows, replace(suite, expectations=counting), gate="input", sensitive=attempt.settings.source.sensitive
        )
        attempt.keep_verdict(verdict)
        if verdict.failed_rules:
            attempt.record_start(closes=decision.unfinished)
        require_passed_verdict(verdict)
