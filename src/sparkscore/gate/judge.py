"""Verdicts of a suite over a frame, on Great Expectations' own engine."""

import time
from collections.abc import Collection, Sequence
from typing import Any, Literal

from pyspark.sql import DataFrame

from sparkscore.errors import ConfigError, GateFailed, SparkscoreError
from sparkscore.gate.engine import evaluated
from sparkscore.gate.raised import gist, is_rules_fault, raised
from sparkscore.gate.suite import Expectation, Suite, check_columns
from sparkscore.gate.words import expected, observed
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.store.failures import translated

Gate = Literal["input", "output"]


def judge(frame: DataFrame, suite: Suite, *, gate: Gate, sensitive: Collection[str] = ()) -> Verdict:
    """The verdict of each expectation over a frame, in the suite's order.

    Needs:   the columns that the suite judges. Of `sensitive` ones only counts are told, neither what was observed nor
             the values that the suite names.
    Jobs:    several Spark jobs over the whole frame; nothing is cached.
    Raises:  ConfigError for a suite that cannot be computed; SparkscoreError where Spark failed; never because the
             data is bad.
    """
    check_columns(suite, frame.columns)
    started = time.monotonic()
    results = _results(frame, suite, gate, sensitive)
    _refuse_broken(suite, results, gate, sensitive)
    rules = tuple(
        _verdict(expectation, result, sensitive)
        for expectation, result in zip(suite.expectations, results, strict=True)
    )
    return Verdict(gate, suite.name, rules, round(time.monotonic() - started, 3))


def require(verdict: Verdict) -> None:
    """Let pass what met its critical expectations.

    Raises:  GateFailed naming each broken rule with what was observed and expected.
    """
    if verdict.failed:
        count = f"{len(verdict.failed)} of {len(verdict.rules)} rules of {verdict.suite} are broken"
        broken = [f"{rule.rule}: {rule.observed}; expected {rule.expected}" for rule in verdict.failed]
        raise GateFailed(
            "\n  ".join([f"the {verdict.gate} gate stopped the run, {count}", *broken]),
            "data that meets the suite; nothing was published",
            f"repair the data, or change the rule in gate.{verdict.gate}",
        )


def _results(frame: DataFrame, suite: Suite, gate: Gate, sensitive: Collection[str]) -> Sequence[Any]:
    try:
        return evaluated(frame, suite.expectations)
    except Exception as error:
        # Great Expectations has no base class for what it raises, and does not say for which rule.
        words = "" if sensitive else f": {gist(str(error))}"
        found = f"the {gate} gate is broken: {_crashing(frame, suite)} raised {type(error).__name__}{words}"
        broken = ConfigError(found, "rules that can be computed", "change the suite")
        raise translated(error, f"judging the {gate} gate") or broken from error


def _crashing(frame: DataFrame, suite: Suite) -> str:
    """The rules that crash Great Expectations even without rows."""
    rules = [rule.rule for rule in suite.expectations if _crashes(frame.limit(0), rule)]
    return ", ".join(rules) or f"a rule of {suite.name}"


def _crashes(frame: DataFrame, rule: Expectation) -> bool:
    try:
        evaluated(frame, [rule])
    except Exception:  # noqa: BLE001 -- whatever it is, it was raised before and is on its way to the caller
        return True
    return False


def _refuse_broken(suite: Suite, results: Sequence[Any], gate: Gate, sensitive: Collection[str]) -> None:
    """A rule that raised says nothing about the data."""
    texts = [raised(result.exception_info) for result in results]
    broken = [(rule.rule, text) for rule, text in zip(suite.expectations, texts, strict=True) if text]
    found = "; ".join(f"{rule}: {gist(text, sensitive=bool(sensitive))}" for rule, text in broken)
    if not all(is_rules_fault(text) for _, text in broken):
        raise SparkscoreError(
            f"Spark failed in the {gate} gate: {found}", "a frame that can be read", "see Spark's log"
        )
    if broken:
        raise ConfigError(
            f"the {gate} gate is broken, rules of {suite.name} could not be computed: {found}",
            "rules that fit the columns' types",
            "change the suite; rules are computed together, so one that is broken may take others along",
        )


def _verdict(expectation: Expectation, result: Any, sensitive: Collection[str]) -> RuleVerdict:
    hidden = expectation.names(sensitive)
    words = observed(expectation, result, hidden=hidden), expected(expectation, hidden=hidden)
    return RuleVerdict(expectation.rule, bool(result.success), *words, severity=expectation.severity)
