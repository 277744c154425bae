"""Suites of expectations: Great Expectations' JSON, read and checked before any Spark job."""

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from sparkscore.errors import ConfigError
from sparkscore.gate.catalogue import check_arguments

Severity = Literal["critical", "warning", "info"]

_SEVERITIES: Mapping[str, Severity] = {"critical": "critical", "warning": "warning", "info": "info"}
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
_SUITE_FIELDS = frozenset({"name", "expectations", "id", "meta", "notes"})
_EXPECTATION_FIELDS = frozenset(
    {"type", "kwargs", "severity", "id", "meta", "notes", "description", "rendered_content"}
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation as data."""

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = "critical"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there to judge it; none where their presence is what is judged."""
        if self.type == "expect_column_to_exist" or self.type.startswith("expect_table_"):
            return ()
        return self._named

    @property
    def rule(self) -> str:
        """Its name for people: `expect_column_values_to_be_between(distance)`."""
        return f"{self.type}({', '.join(self._named)})" if self._named else self.type

    def names(self, columns: Collection[str]) -> bool:
        """Whether it judges any of the columns."""
        return not set(columns).isdisjoint(self._named)

    @property
    def _named(self) -> tuple[str, ...]:
        values = [self.kwargs.get(argument, ()) for argument in _COLUMN_ARGUMENTS]
        return tuple(name for value in values for name in ([value] if isinstance(value, str) else value))


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of expectations."""

    name: str
    expectations: tuple[Expectation, ...]


def load_suite(path: str) -> Suite:
    """The suite in a JSON file, as Great Expectations writes it.

    Jobs:    none; imports Great Expectations, which takes seconds the first time.
    Raises:  ConfigError for a file that is absent, is no suite, or holds an expectation or an argument that is unknown.
    """
    content = _read(Path(path))
    _refuse_unknown(content, _SUITE_FIELDS, f"a field of the suite {path}")
    name, entries = content.get("name"), content.get("expectations")
    if not isinstance(name, str) or not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"{path} is no suite", "a name, and a list of at least one expectation", "see conf/expectations"
        )
    return Suite(
        name, tuple(_expectation(entry, f"{path}, expectation {place}") for place, entry in enumerate(entries, 1))
    )


def check_columns(suite: Suite, columns: Sequence[str]) -> None:
    """Refuse a suite that judges columns which the frame does not have.

    Jobs:    none.
    Raises:  ConfigError naming each missing column and the nearest one.
    """
    missing = {name: rule.rule for rule in suite.expectations for name in rule.columns if name not in columns}
    if missing:
        found = "; ".join(f"{name} in {rule}{_nearest(name, columns)}" for name, rule in missing.items())
        raise ConfigError(
            f"the suite {suite.name} judges columns that are not there: {found}",
            f"columns of the frame: {', '.join(columns[:30])}",
            "change the suite; names are exact, case included",
        )


def _expectation(entry: object, place: str) -> Expectation:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("type"), str)
        or not isinstance(entry.get("kwargs"), dict)
    ):
        raise ConfigError(
            f"{place} has no type and kwargs",
            '{"type": "expect_…", "kwargs": {…}}',
            "write it as Great Expectations 1.x does",
        )
    _refuse_unknown(entry, _EXPECTATION_FIELDS, f"a field of {place}")
    severity = _SEVERITIES.get(str(entry.get("severity", "critical")))
    if severity is None:
        raise ConfigError(f"{place}: severity {entry['severity']}", f"{', '.join(_SEVERITIES)}", "change the suite")
    check_arguments(entry["type"], entry["kwargs"], place)
    return Expectation(entry["type"], entry["kwargs"], severity)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant)
    except OSError as error:
        near = _nearest(file.name, [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else [])
        raise ConfigError(
            f"cannot read the suite {file}: {error.strerror}{near}", "a JSON file", "check gate.input and gate.output"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{file} is not JSON: {error}", "a suite as Great Expectations writes it", "see conf/expectations"
        ) from error
    return content if isinstance(content, dict) else {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{max(names, key=names.count)} stands twice in one object")
    return dict(pairs)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _refuse_unknown(found: Mapping[str, Any], known: Collection[str], what: str) -> None:
    for name in found:
        if name not in known:
            raise ConfigError(
                f"{name} is not {what}{_nearest(name, known)}", f"one of {', '.join(sorted(known))}", "change the suite"
            )


def _nearest(name: str, names: Collection[str]) -> str:
    near = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names, n=1)
    return f" (nearest: {near[0]})" if near else ""
