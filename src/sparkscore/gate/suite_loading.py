"""Loads suites of expectations: Great Expectations' JSON, read and checked before any Spark job."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.conditions import CONDITIONS
from sparkscore.gate.compiled.other_table import OTHER_TABLE, other_table_ref
from sparkscore.gate.gx.expectation_catalogue import check_expectation_arguments
from sparkscore.gate.suites import Expectation, Severity, Suite, nearest_suite_name
from sparkscore.settings.repeated_keys import RepeatedKeys, load_json

_SEVERITIES: Mapping[str, Severity] = {"critical": "critical", "warning": "warning", "info": "info"}
_SUITE_FIELDS = frozenset({"name", "expectations", "id", "meta", "notes"})
_EXPECTATION_FIELDS = frozenset(
    {"type", "kwargs", "severity", "id", "meta", "notes", "description", "rendered_content"}
)


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


def _parse_suite(content: Mapping[str, Any], location: str, home: str | None) -> Suite:
    if "expectation_suite_name" in content:
        raise ConfigError(
            f"{location} is no suite of Great Expectations 1.x: expectation_suite_name belongs to 0.x",
            "name, and in each expectation type",
            "rename expectation_suite_name to name, expectation_type to type; remove data_asset_type and ge_cloud_id",
        )
    _refuse_unknown_suite_fields(content, _SUITE_FIELDS, f"a field of the suite {location}")
    name, entries = content.get("name"), content.get("expectations")
    if not isinstance(name, str) or not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"{location} is no suite", "a name, and a list of at least one expectation", "see conf/expectations"
        )
    found = tuple(
        _parse_expectation(entry, f"{location}, expectation {number}") for number, entry in enumerate(entries, 1)
    )
    for expectation in found:
        if expectation.type == OTHER_TABLE:
            other_table_ref(expectation.kwargs["other_table_name"], home=home)
    return Suite(name, found, home)


def _parse_expectation(entry: object, location: str) -> Expectation:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("type"), str)
        or not isinstance(entry.get("kwargs"), dict)
    ):
        raise ConfigError(
            f"{location} has no type and kwargs{_old_format_hint(entry)}",
            '{"type": "expect_…", "kwargs": {…}}',
            "write it as Great Expectations 1.x does",
        )
    _refuse_unknown_suite_fields(entry, _EXPECTATION_FIELDS, f"a field of {location}")
    severity = _SEVERITIES.get(str(entry.get("severity", "critical")))
    if severity is None:
        raise ConfigError(f"{location}: severity {entry['severity']}", f"{', '.join(_SEVERITIES)}", "change the suite")
    check_expectation_arguments(entry["type"], entry["kwargs"], location)
    rejects = _parse_reject_action(entry, location)
    return Expectation(entry["type"], entry["kwargs"], severity, rejects)


def _parse_reject_action(entry: Mapping[str, Any], location: str) -> bool:
    meta = entry.get("meta")
    action = meta.get("action") if isinstance(meta, dict) else None
    if action is None:
        return False
    if action != "reject":
        raise ConfigError(
            f"{location}: action {action!r}",
            "reject, or no action: severity decides what else happens",
            "change the suite",
        )
    if entry["type"] not in CONDITIONS:
        raise ConfigError(
            f"{location}: {entry['type']} cannot reject rows",
            "a rule that each row meets or breaks by itself",
            "remove the action; severity decides what a broken rule does to the run",
        )
    if entry["kwargs"].get("mostly") not in (None, 1):
        raise ConfigError(
            f"{location}: mostly together with the action reject",
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
        near = nearest_suite_name(
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
                f"{name} is not {what}{nearest_suite_name(name, known)}",
                f"one of {', '.join(sorted(known))}",
                "change the suite",
            )
