"""Verdicts of a suite over a frame: computed here, or by Great Expectations' own engine for what is unknown here."""

import time
from collections.abc import Callable, Collection, Sequence
from types import MappingProxyType
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from sparkscore.errors import GateFailed, SparkscoreError
from sparkscore.gate.compiled.measures import CompiledRule, MeasuredValues, RuleResult
from sparkscore.gate.compiled.plan import compute_compiled_rules
from sparkscore.gate.gx.gx_engine import evaluate_with_gx, gx_exception_text, is_rule_fault, summarize_rule_error
from sparkscore.gate.gx.gx_output import suppress_gx_output
from sparkscore.gate.suite_compilation import CompiledSuite, Gate, broken_suite_error, compile_gate_suite
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdict_formatting import format_expected, format_observed
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.py4j_errors import Py4JJavaError


def judge_suite(frame: DataFrame, suite: Suite, *, gate: Gate, sensitive: Collection[str] = ()) -> Verdict:
    """The verdict of each expectation over a frame, in the suite's order.

    Needs:   the columns that the suite judges. Of `sensitive` ones only counts are shown, neither what was observed nor
             the values that the suite names.
    Jobs:    one for all rules that a pass over the rows answers, one more per shuffled column; several for what only
             Great Expectations' own engine can compute. Nothing is cached.
    Raises:  ConfigError for a suite that cannot be computed; SparkscoreError where Spark failed; never because the
             data is bad.
    """
    started = time.monotonic()
    results = evaluate_suite(frame, suite, gate=gate, sensitive=sensitive)
    return to_suite_verdict(suite, results, gate=gate, sensitive=sensitive, seconds=time.monotonic() - started)


def to_suite_verdict(
    suite: Suite, found: Sequence[Any], *, gate: Gate, sensitive: Collection[str] = (), seconds: float = 0.0
) -> Verdict:
    """The findings of `evaluate_suite` as a verdict."""
    rules = tuple(
        _to_rule_verdict(expectation, result, sensitive)
        for expectation, result in zip(suite.expectations, found, strict=True)
    )
    return Verdict(gate, suite.name, rules, round(seconds, 3))


def evaluate_suite(frame: DataFrame, suite: Suite, *, gate: Gate, sensitive: Collection[str] = ()) -> list[Any]:
    """What each expectation found, in the suite's order: a `RuleResult`, or a result of Great Expectations' own engine.

    Jobs, Raises: as `judge_suite`.
    """
    return evaluate_compiled_suite(lambda: frame, compile_gate_suite(suite, frame.schema, gate, sensitive))


def evaluate_compiled_suite(
    load_frame: Callable[[], DataFrame], compiled: CompiledSuite, measured: MeasuredValues = MappingProxyType({})
) -> list[Any]:
    """What `evaluate_suite` returns; what is `measured` already is taken from there.

    Jobs:    as `judge_suite`, for what is not measured; none, and no frame, where everything is.
    Raises:  as `judge_suite`.
    """
    rules, expectations = compiled.rules, compiled.suite.expectations
    ready = [rule for rule in rules if rule is not None]
    computed = iter(_compute_suite_rules(load_frame, ready, compiled.gate, measured))
    remaining = [expectation for expectation, rule in zip(expectations, rules, strict=True) if rule is None]
    from_gx = iter(_evaluate_remaining_rules(load_frame, compiled, remaining))
    return [next(from_gx if rule is None else computed) for rule in rules]


def require_passed_verdict(verdict: Verdict) -> None:
    """Raise an error unless all critical expectations are met.

    Raises:  GateFailed naming each broken rule with what was observed and expected.
    """
    if verdict.failed_rules:
        count = f"{len(verdict.failed_rules)} of {len(verdict.rules)} rules of {verdict.suite} are broken"
        broken = [f"{rule.rule}: {rule.observed}; expected {rule.expected}" for rule in verdict.failed_rules]
        raise GateFailed(
            "\n  ".join([f"the {verdict.gate} gate stopped the run, {count}", *broken]),
            "data that meets the suite; nothing was published",
            f"repair the data, or change the rule in gate.{verdict.gate}",
        )


def _compute_suite_rules(
    load_frame: Callable[[], DataFrame], rules: Sequence[CompiledRule], gate: Gate, measured: MeasuredValues
) -> Sequence[Any]:
    try:
        with suppress_gx_output():
            return compute_compiled_rules(load_frame, rules, measured)
    except (PySparkException, Py4JJavaError) as error:
        failed = SparkscoreError(
            f"Spark failed in the {gate} gate: {summarize_rule_error(str(error))}",
            "data that Spark can read",
            "see Spark's log",
        )
        raise to_sparkscore_error(error, f"judging the {gate} gate") or failed from error


def _evaluate_remaining_rules(
    load_frame: Callable[[], DataFrame], compiled: CompiledSuite, expectations: Sequence[Expectation]
) -> Sequence[Any]:
    """What Great Expectations' own engine finds. Its messages may hold sensitive values."""
    if not expectations:
        return []
    frame, suite, gate, hidden = load_frame(), compiled.suite, compiled.gate, bool(compiled.sensitive)
    try:
        results = evaluate_with_gx(frame, expectations)
    except Exception as error:
        # Great Expectations has no base class for what it raises, and does not say for which rule.
        crashing = _find_crashing_rules(frame, suite, expectations)
        reason = "" if hidden else f": {summarize_rule_error(str(error))}"
        found = f"{crashing} raised {type(error).__name__}{reason}"
        raise to_sparkscore_error(error, f"judging the {gate} gate") or broken_suite_error(
            suite, gate, found
        ) from error
    _refuse_raising_rules(suite, expectations, results, gate, hidden=hidden)
    return results


def _find_crashing_rules(frame: DataFrame, suite: Suite, expectations: Sequence[Expectation]) -> str:
    """The rules that crash Great Expectations even without rows."""
    rules = [rule.rule for rule in expectations if _is_rule_crashing(frame.limit(0), rule)]
    return ", ".join(rules) or f"a rule of {suite.name}"


def _is_rule_crashing(frame: DataFrame, rule: Expectation) -> bool:
    try:
        evaluate_with_gx(frame, [rule])
    except Exception:  # noqa: BLE001 -- whatever it is, it was raised before and is on its way to the caller
        return True
    return False


def _refuse_raising_rules(
    suite: Suite, expectations: Sequence[Expectation], results: Sequence[Any], gate: Gate, *, hidden: bool
) -> None:
    """A rule that raised says nothing about the data."""
    texts = [gx_exception_text(result.exception_info) for result in results]
    broken = [(rule.rule, text) for rule, text in zip(expectations, texts, strict=True) if text]
    found = "; ".join(f"{rule}: {summarize_rule_error(text, sensitive=hidden)}" for rule, text in broken)
    if not all(is_rule_fault(text) for _, text in broken):
        raise SparkscoreError(
            f"Spark failed in the {gate} gate: {found}", "data that Spark can read", "see Spark's log"
        )
    if broken:
        raise broken_suite_error(suite, gate, found)


def _to_rule_verdict(expectation: Expectation, result: Any, sensitive: Collection[str]) -> RuleVerdict:
    hidden = expectation.judges_any(sensitive)
    texts = format_observed(expectation, result, hidden=hidden), format_expected(expectation, hidden=hidden)
    slow = not isinstance(result, RuleResult)
    return RuleVerdict(expectation.rule, bool(result.success), *texts, severity=expectation.severity, slow=slow)
