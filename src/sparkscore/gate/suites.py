"""Suites of expectations as data."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.row_condition import condition_columns

Severity = Literal["critical", "warning", "info"]
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation as data."""

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = "critical"
    rejects: bool = False
    """Rows that break it are rejected, and the run continues: `"meta": {"action": "reject"}`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there to judge it; none where their presence is what is judged."""
        compared = condition_columns(self.kwargs.get("row_condition"))
        if self.type == "expect_column_to_exist" or self.type.startswith("expect_table_"):
            return compared
        return tuple(dict.fromkeys((*self._argument_columns, *compared)))

    @property
    def rule(self) -> str:
        """Its name for people: `expect_column_values_to_be_between(distance)`."""
        return f"{self.type}({', '.join(self._argument_columns)})" if self._argument_columns else self.type

    def judges_any(self, columns: Collection[str]) -> bool:
        """Whether it judges any of the columns, or rows by them."""
        return not set(columns).isdisjoint(
            (*self._argument_columns, *condition_columns(self.kwargs.get("row_condition")))
        )

    @property
    def _argument_columns(self) -> tuple[str, ...]:
        values = [self.kwargs.get(argument, ()) for argument in _COLUMN_ARGUMENTS]
        return tuple(name for value in values for name in ([value] if isinstance(value, str) else value))


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of expectations."""

    name: str
    expectations: tuple[Expectation, ...]
    home: str | None = None
    """The folder in which the plain name of another table is a table; None: such names are refused."""

    @property
    def reject_expectations(self) -> tuple[Expectation, ...]:
        """Those that reject rows while they are scored."""
        return tuple(expectation for expectation in self.expectations if expectation.rejects)

    @property
    def gate_suite(self) -> "Suite":
        """The others, which a gate judges."""
        return replace(
            self, expectations=tuple(expectation for expectation in self.expectations if not expectation.rejects)
        )


def check_suite_columns(suite: Suite, columns: Sequence[str]) -> None:
    """Refuse a suite that judges columns which the frame does not have.

    Jobs:    none.
    Raises:  ConfigError naming each missing column and the nearest one.
    """
    missing = {name: rule.rule for rule in suite.expectations for name in rule.columns if name not in columns}
    if missing:
        found = "; ".join(f"{name} in {rule}{nearest_suite_name(name, columns)}" for name, rule in missing.items())
        raise ConfigError(
            f"the suite {suite.name} judges columns that do not exist: {found}",
            f"columns of the frame: {', '.join(columns[:30])}",
            "change the suite; names are exact, case included",
        )


def nearest_suite_name(name: str, names: Collection[str]) -> str:
    """What to add to a message about a wrong name: the nearest right one."""
    near = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names, n=1)
    return f" (nearest: {near[0]})" if near else ""
