"""Suites of expectations: Great Expectations' JSON, read and checked before any Spark job."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.conditions import CONDITIONS
from sparkscore.gate.compiled.other_table import OTHER_TABLE, other_table_ref
from sparkscore.gate.compiled.row_condition import condition_columns
from sparkscore.gate.gx.expectation_catalogue import check_expectation_arguments
from sparkscore.settings.repeated_keys import RepeatedKeys, load_json

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
    rejects: bool = False
    """Rows that break it are rejected, and the run continues: `"meta": {"action": "reject"}`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there to judge it; none where their presence is what is judged."""
        compared = condition_columns(self.kwargs.get("row_condition"))
        if self.type == "expect_column_to_exist" or self.type.startswith("expect_table_"):
            return compared
        return tuple(dict.fromkeys((*self._named, *compared)))

    @property
    def rule(self) -> str:
        """Its name for people: `expect_column_values_to_be_between(distance)`."""
        return f"{self.type}({', '.join(self._named)})" if self._named else self.type

    def names(self, columns: Collection[str]) -> bool:
        """Whether it judges any of the columns, or rows by them."""
        return not set(columns).isdisjoint((*self._named, *condition_columns(self.kwargs.get("row_condition"))))

    @property
    def _named(self) -> tuple[str, ...]:
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
    def rejecting(self) -> tuple[Expectation, ...]:
        """Those that reject rows while they are scored."""
        return tuple(one for one in self.expectations if one.rejects)

    @property
    def judging(self) -> "Suite":
        """The others, which a gate judges."""
        return replace(self, expectations=tuple(one for one in self.expectations if not one.rejects))


def load_suite(path: str, *, home: str | None = None) -> Suite:
    """The suite in a JSON file, as Great Expectations writes it.

    Jobs:    none; imports Great Expectations, which takes seconds, only for expectations that are not computed here.
    Raises:  ConfigError for a file that is absent, is no suite, or holds an expectation or an argument that is unknown.
    """
    return _parse_suite(_read_suite_file(Path(path)), path, home)


def from_gx_suite(suite: Any, *, home: str | None = None) -> Suite:
    """A suite that was built in Python with Great Expectations' own classes: a `gx.ExpectationSuite`.

    Jobs:    none.
    Raises:  ConfigError for an expectation or an argument that is not for a gate.
    """
    content = {name: value for name, value in suite.to_json_dict().items() if name in _SUITE_FIELDS}
    return _parse_suite(content, f"the suite {suite.name}", home)


def _parse_suite(content: Mapping[str, Any], place: str, home: str | None) -> Suite:
    if "expectation_suite_name" in content:
        raise ConfigError(
            f"{place} is no suite of Great Expectations 1.x: expectation_suite_name belongs to 0.x",
            "name, and in each expectation type",
            "rename expectation_suite_name to name, expectation_type to type; remove data_asset_type and ge_cloud_id",
        )
    _refuse_unknown_suite_fields(content, _SUITE_FIELDS, f"a field of the suite {place}")
    name, entries = content.get("name"), content.get("expectations")
    if not isinstance(name, str) or not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"{place} is no suite", "a name, and a list of at least one expectation", "see conf/expectations"
        )
    found = tuple(
        _parse_expectation(entry, f"{place}, expectation {number}") for number, entry in enumerate(entries, 1)
    )
    for one in found:
        if one.type == OTHER_TABLE:
            other_table_ref(one.kwargs["other_table_name"], home=home)
    return Suite(name, found, home)


def check_suite_columns(suite: Suite, columns: Sequence[str]) -> None:
    """Refuse a suite that judges columns which the frame does not have.

    Jobs:    none.
    Raises:  ConfigError naming each missing column and the nearest one.
    """
    missing = {name: rule.rule for rule in suite.expectations for name in rule.columns if name not in columns}
    if missing:
        found = "; ".join(f"{name} in {rule}{_nearest_suite_name(name, columns)}" for name, rule in missing.items())
        raise ConfigError(
            f"the suite {suite.name} judges columns that do not exist: {found}",
            f"columns of the frame: {', '.join(columns[:30])}",
            "change the suite; names are exact, case included",
        )


def _parse_expectation(entry: object, place: str) -> Expectation:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("type"), str)
        or not isinstance(entry.get("kwargs"), dict)
    ):
        raise ConfigError(
            f"{place} has no type and kwargs{_old_format_hint(entry)}",
            '{"type": "expect_…", "kwargs": {…}}',
            "write it as Great Expectations 1.x does",
        )
    _refuse_unknown_suite_fields(entry, _EXPECTATION_FIELDS, f"a field of {place}")
    severity = _SEVERITIES.get(str(entry.get("severity", "critical")))
    if severity is None:
        raise ConfigError(f"{place}: severity {entry['severity']}", f"{', '.join(_SEVERITIES)}", "change the suite")
    check_expectation_arguments(entry["type"], entry["kwargs"], place)
    rejects = _parse_reject_action(entry, place)
    return Expectation(entry["type"], entry["kwargs"], severity, rejects)


def _parse_reject_action(entry: Mapping[str, Any], place: str) -> bool:
    meta = entry.get("meta")
    action = meta.get("action") if isinstance(meta, dict) else None
    if action is None:
        return False
    if action != "reject":
        raise ConfigError(
            f"{place}: action {action!r}",
            "reject, or no action: severity decides what else happens",
            "change the suite",
        )
    if entry["type"] not in CONDITIONS:
        raise ConfigError(
            f"{place}: {entry['type']} cannot reject rows",
            "a rule that each row meets or breaks by itself",
            "remove the action; severity decides what a broken rule does to the run",
        )
    if entry["kwargs"].get("mostly") not in (None, 1):
        raise ConfigError(
            f"{place}: mostly together with the action reject",
            "one of them: every row that breaks the rule is rejected",
            "remove mostly; scoring.max_reject_ratio limits how many may be",
        )
    return True


def _old_format_hint(entry: object) -> str:
    old = isinstance(entry, dict) and "expectation_type" in entry
    return ": expectation_type belongs to Great Expectations 0.x" if old else ""


def _read_suite_file(file: Path) -> dict[str, Any]:
    try:
        content = load_json(file.read_text(encoding="utf-8"), parse_constant=_refuse_json_constant)
    except RepeatedKeys as repeated:
        raise ConfigError(
            f"{file}: {repeated}",
            "each key once in its object: JSON would drop all but the last one",
            "keep one of them, with what belongs under it",
        ) from repeated
    except OSError as error:
        near = _nearest_suite_name(
            file.name, [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        )
        raise ConfigError(
            f"cannot read the suite {file}: {error.strerror}{near}", "a JSON file", "check gate.input and gate.output"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{file} is not JSON: {error}", "a suite as Great Expectations writes it", "see conf/expectations"
        ) from error
    return content if isinstance(content, dict) else {}


def _refuse_json_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _refuse_unknown_suite_fields(found: Mapping[str, Any], known: Collection[str], what: str) -> None:
    for name in found:
        if name not in known:
            raise ConfigError(
                f"{name} is not {what}{_nearest_suite_name(name, known)}",
                f"one of {', '.join(sorted(known))}",
                "change the suite",
            )


def _nearest_suite_name(name: str, names: Collection[str]) -> str:
    near = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names, n=1)
    return f" (nearest: {near[0]})" if near else ""
