"""What gates ask of rows, and what they find."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule that a row must meet to be scored: what an expectation asks of a row, or that a key is there."""

    code: str
    """The reason that a reject carries: `null_key`, or the name of the expectation."""
    message: str
    kind: str
    """`null_key`, or an expectation's type."""
    kwargs: Mapping[str, Any]
    """Of the expectation; for `null_key` its column."""


@dataclass(frozen=True, slots=True)
class RowRules:
    """Rules as data; `gate.row_rules` evaluates them in Spark and with pyarrow. The first broken one is the reason."""

    rules: tuple[RowRule, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one expectation found. `observed` and `expected` are words for people, without values of rows."""

    rule: str
    passed: bool
    observed: str
    expected: str
    severity: Literal["critical", "warning", "info"] = "critical"
    slow: bool = False
    """Computed by Great Expectations' own engine: several Spark jobs for this rule alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's judgement over one frame."""

    gate: Literal["input", "output"]
    suite: str
    rules: tuple[RuleVerdict, ...]
    seconds: float = 0.0

    @property
    def failed_rules(self) -> tuple[RuleVerdict, ...]:
        """The broken rules that stop a run."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity == "critical")

    @property
    def warning_rules(self) -> tuple[RuleVerdict, ...]:
        """The broken rules that only warn."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity == "warning")
