"""Verdicts of a suite over a frame: computed here, and what is not known here by Great Expectations' own engine."""

import time
from collections.abc import Collection, Sequence
from typing import Any, Literal

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError, GateFailed, SparkscoreError
from sparkscore.gate.compiled.measures import Found, Rule
from sparkscore.gate.compiled.plan import COMPILED, compiled, computed
from sparkscore.gate.compiled.values import Unfit
from sparkscore.gate.engine import evaluated
from sparkscore.gate.quiet import quiet
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
    Jobs:    one for all rules that a pass over the rows answers, one more per shuffled column; several for what only
             Great Expectations' own engine can compute. Nothing is cached.
    Raises:  ConfigError for a suite that cannot be computed; SparkscoreError where Spark failed; never because the
             data is bad.
    """
    started = time.monotonic()
    results = judged(frame, suite, gate=gate, sensitive=sensitive)
    return verdict_of(suite, results, gate=gate, sensitive=sensitive, seconds=time.monotonic() - started)


def verdict_of(
    suite: Suite, found: Sequence[Any], *, gate: Gate, sensitive: Collection[str] = (), seconds: float = 0.0
) -> Verdict:
    """What was found, in words. `found`: of `judged`."""
    rules = tuple(_verdict(one, what, sensitive) for one, what in zip(suite.expectations, found, strict=True))
    return Verdict(gate, suite.name, rules, round(seconds, 3))


def judged(frame: DataFrame, suite: Suite, *, gate: Gate, sensitive: Collection[str] = ()) -> list[Any]:
    """What each expectation found, in the suite's order: a `Found`, or a result of Great Expectations' own engine.

    Jobs, Raises: as `judge`.
    """
    rules = check_fit(suite, frame.schema, gate=gate, sensitive=sensitive)
    found = iter(_computed(frame, [rule for rule in rules if rule is not None], gate))
    rest = [one for one, rule in zip(suite.expectations, rules, strict=True) if rule is None]
    left = iter(_left(frame, suite, rest, gate, hidden=bool(sensitive)))
    return [next(left if rule is None else found) for rule in rules]


def check_fit(
    suite: Suite, schema: StructType, *, gate: Gate, sensitive: Collection[str] = ()
) -> Sequence[Rule | None]:
    """The rules of a suite, in order, ready to be computed; None where only Great Expectations' own engine can.

    Jobs:    none.
    Raises:  ConfigError naming each rule that does not fit the columns.
    """
    check_columns(suite, schema.names)
    rules: list[Rule | None] = []
    broken: list[str] = []
    for one in suite.expectations:
        try:
            rules.append(compiled(one.type, one.kwargs, schema, home=suite.home) if one.type in COMPILED else None)
        except Unfit as unfit:
            words = "does not fit its columns" if one.names(sensitive) else str(unfit)
            broken.append(f"{one.rule}: {words}")
    if broken:
        raise _broken(suite, gate, "; ".join(broken))
    return rules


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


def _computed(frame: DataFrame, rules: Sequence[Rule], gate: Gate) -> Sequence[Any]:
    try:
        with quiet():
            return computed(frame, rules)
    except (PySparkException, Py4JJavaError) as error:
        failed = SparkscoreError(
            f"Spark failed in the {gate} gate: {gist(str(error))}", "a frame that can be read", "see Spark's log"
        )
        raise translated(error, f"judging the {gate} gate") or failed from error


def _left(
    frame: DataFrame, suite: Suite, expectations: Sequence[Expectation], gate: Gate, *, hidden: bool
) -> Sequence[Any]:
    """What Great Expectations' own engine finds. `hidden`: its words may hold values that nobody may see."""
    if not expectations:
        return []
    try:
        results = evaluated(frame, expectations)
    except Exception as error:
        # Great Expectations has no base class for what it raises, and does not say for which rule.
        crashing = _crashing(frame, suite, expectations)
        words = "" if hidden else f": {gist(str(error))}"
        found = f"{crashing} raised {type(error).__name__}{words}"
        raise translated(error, f"judging the {gate} gate") or _broken(suite, gate, found) from error
    _refuse_broken(suite, expectations, results, gate, hidden=hidden)
    return results


def _crashing(frame: DataFrame, suite: Suite, expectations: Sequence[Expectation]) -> str:
    """The rules that crash Great Expectations even without rows."""
    rules = [rule.rule for rule in expectations if _crashes(frame.limit(0), rule)]
    return ", ".join(rules) or f"a rule of {suite.name}"


def _crashes(frame: DataFrame, rule: Expectation) -> bool:
    try:
        evaluated(frame, [rule])
    except Exception:  # noqa: BLE001 -- whatever it is, it was raised before and is on its way to the caller
        return True
    return False


def _refuse_broken(
    suite: Suite, expectations: Sequence[Expectation], results: Sequence[Any], gate: Gate, *, hidden: bool
) -> None:
    """A rule that raised says nothing about the data."""
    texts = [raised(result.exception_info) for result in results]
    broken = [(rule.rule, text) for rule, text in zip(expectations, texts, strict=True) if text]
    found = "; ".join(f"{rule}: {gist(text, sensitive=hidden)}" for rule, text in broken)
    if not all(is_rules_fault(text) for _, text in broken):
        raise SparkscoreError(
            f"Spark failed in the {gate} gate: {found}", "a frame that can be read", "see Spark's log"
        )
    if broken:
        raise _broken(suite, gate, found)


def _broken(suite: Suite, gate: Gate, found: str) -> ConfigError:
    return ConfigError(
        f"the {gate} gate is broken, rules of {suite.name} cannot be computed: {found}",
        "rules that fit the columns' types",
        "change the suite; what Great Expectations' own engine computes together may break together",
    )


def _verdict(expectation: Expectation, result: Any, sensitive: Collection[str]) -> RuleVerdict:
    hidden = expectation.names(sensitive)
    words = observed(expectation, result, hidden=hidden), expected(expectation, hidden=hidden)
    slow = not isinstance(result, Found)
    return RuleVerdict(expectation.rule, bool(result.success), *words, severity=expectation.severity, slow=slow)
