"""Suites that are ready to be computed: each rule is checked against the columns before any job."""

import dataclasses
import json
from collections.abc import Collection, Sequence
from typing import Literal

from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.measures import CompiledRule
from sparkscore.gate.compiled.other_table import OTHER_TABLE
from sparkscore.gate.compiled.plan import COMPILED_TYPES, compile_expectation
from sparkscore.gate.suites import Suite, check_suite_columns
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.spark.session_kind import jvm_identity

Gate = Literal["input", "output"]

_KEPT_SUITES = 16
_RULES_BY_SUITE: dict[tuple[str, int], tuple[CompiledRule | None, ...]] = {}
"""By the suite and the schema, as JSON, and the connection to the JVM."""


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledSuite:
    """A suite that is ready to be computed over frames of one schema."""

    suite: Suite
    gate: Gate
    sensitive: tuple[str, ...]
    rules: tuple[CompiledRule | None, ...]
    """In the suite's order; None if only Great Expectations' own engine can compute the rule."""


def _compile_suite(
    suite: Suite, schema: StructType, *, gate: Gate, sensitive: Collection[str] = ()
) -> Sequence[CompiledRule | None]:
    """The rules of a suite, in order, ready to be computed; None if only Great Expectations' own engine can.

    Jobs:    none.
    Raises:  ConfigError naming each rule that does not fit the columns.
    """
    check_suite_columns(suite, schema.names)
    rules: list[CompiledRule | None] = []
    broken: list[str] = []
    for expectation in suite.expectations:
        try:
            rules.append(
                compile_expectation(expectation.type, expectation.kwargs, schema, home=suite.home)
                if expectation.type in COMPILED_TYPES
                else None
            )
        except UnfitValue as unfit:
            finding = "does not fit its columns" if expectation.judges_any(sensitive) else str(unfit)
            broken.append(f"{expectation.rule}: {finding}")
    if broken:
        raise broken_suite_error(suite, gate, "; ".join(broken))
    return rules


def compile_gate_suite(suite: Suite, schema: StructType, gate: Gate, sensitive: Collection[str] = ()) -> CompiledSuite:
    """A suite, ready to be computed over frames of the schema.

    What was compiled before in this JVM is taken again: each rule costs a dozen calls to it.

    Jobs:    none.
    Raises:  ConfigError naming each rule that does not fit the columns.
    """
    text = json.dumps([dataclasses.asdict(suite), gate, sorted(sensitive), schema.jsonValue()], default=repr)
    key = (text, jvm_identity())
    rules = _RULES_BY_SUITE.get(key)
    if rules is None:
        rules = tuple(_compile_suite(suite, schema, gate=gate, sensitive=sensitive))
        if all(expectation.type != OTHER_TABLE for expectation in suite.expectations):  # that is as it is now
            _RULES_BY_SUITE[key] = rules
            for oldest in list(_RULES_BY_SUITE)[:-_KEPT_SUITES]:
                _RULES_BY_SUITE.pop(oldest, None)
    return CompiledSuite(suite, gate, tuple(sensitive), rules)


def broken_suite_error(suite: Suite, gate: Gate, found: str) -> ConfigError:
    """The error for rules that cannot be computed, whatever the data is like."""
    return ConfigError(
        f"the {gate} gate is broken, rules of {suite.name} cannot be computed: {found}",
        "rules that fit the columns' types",
        "change the suite; what Great Expectations' own engine computes together may break together",
    )
