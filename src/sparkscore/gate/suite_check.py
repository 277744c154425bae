"""Judges a table by a suite, for people: the result of each rule, the share of rows that fail, and which rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.gate.compiled.conditions import CONDITIONS
from sparkscore.gate.row_rules import is_expectation_broken
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdict_formatting import format_row_key
from sparkscore.gate.verdicts import evaluate_suite, to_suite_verdict
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.spark.identifiers import quote_identifier

_MAX_FAILING_KEYS = 3


@dataclass(frozen=True, slots=True)
class SuiteCheckLine:
    """What one expectation found."""

    verdict: RuleVerdict
    share: float | None
    """Of the rows that were judged, those that break it; None for what is no rule of single rows."""
    rejects: bool
    examples: tuple[str, ...] = ()
    """The keys of three rows that break it."""


def check_suite(
    frame: DataFrame, suite: Suite, *, keys: Sequence[str] = (), sensitive: Collection[str] = ()
) -> tuple[Verdict, list[SuiteCheckLine]]:
    """The verdict of a suite, and a line for each expectation, in order; those that reject rows are judged, too.

    Values of `sensitive` columns are `***`, also in keys.

    Jobs:    as `verdicts.judge_suite`; one more for each broken rule of rows, where there are keys.
    Raises:  as `verdicts.judge_suite`; it lets every verdict pass.
    """
    found = evaluate_suite(frame, suite, gate="input", sensitive=sensitive)
    verdict = to_suite_verdict(suite, found, gate="input", sensitive=sensitive)
    lines = []
    for expectation, rule_result, rule in zip(suite.expectations, found, verdict.rules, strict=True):
        share = rule_result.result.get("unexpected_percent")
        share = None if share is None or not rule_result.result.get("element_count") else share / 100
        examples = () if rule.passed and not share else _collect_failing_keys(frame, expectation, keys, sensitive)
        lines.append(SuiteCheckLine(rule, share, expectation.rejects, examples))
    return verdict, lines


def _collect_failing_keys(
    frame: DataFrame, rule: Expectation, keys: Sequence[str], sensitive: Collection[str]
) -> tuple[str, ...]:
    if not keys or rule.type not in CONDITIONS:
        return ()
    rows = frame.where(is_expectation_broken(rule.type, rule.kwargs, frame.schema)).select(
        *[F.col(quote_identifier(key)) for key in keys]
    )
    return tuple(format_row_key(keys, row, sensitive) for row in rows.limit(_MAX_FAILING_KEYS).collect())
