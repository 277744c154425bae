"""The known expectations and arguments. Great Expectations is imported inside functions: it costs seconds."""

import difflib
from collections.abc import Mapping
from typing import Any

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.arguments import ARGUMENTS, TYPED_CONDITION, find_wrong_arguments
from sparkscore.gate.compiled.row_condition import find_condition_fault
from sparkscore.gate.gx.gx_output import suppress_gx_output

_RUNS_AS_SQL = "its text would run as SQL in the session"
_REFUSED_TYPES: Mapping[str, str] = {
    "unexpected_rows_expectation": _RUNS_AS_SQL,
    "expect_query_results_to_match_comparison": _RUNS_AS_SQL,
}
_REFUSED_ARGUMENTS: Mapping[str, str] = {
    "result_format": "verdicts carry counts, never values of rows",
    "catch_exceptions": "a rule that cannot be computed always stops the run",
    "condition_parser": "row_condition is typed, and needs no parser",
    "batch_id": "a gate sees one frame",
    "windows": "a gate knows no earlier runs",
}
_OUTSIDE_ARGUMENTS = frozenset(
    {"id", "meta", "notes", "description", "rendered_content", "severity", "library_metadata"}
)
"""Fields of the expectation itself, next to `kwargs`."""


def check_expectation_arguments(kind: str, arguments: Mapping[str, Any], location: str) -> None:
    """Refuse an expectation or an argument that is unknown, wrong, or not for a gate.

    Jobs:    none; Great Expectations is imported only for an expectation that is not computed here.
    Raises:  ConfigError with the nearest right name.
    """
    _refuse_wrong_condition(kind, arguments.get("row_condition"), location)
    if kind in ARGUMENTS:
        _check_argument_names(kind, arguments, set(ARGUMENTS[kind]), location)
        _refuse_argument_findings(kind, "; ".join(find_wrong_arguments(kind, arguments)), location)
        return
    with suppress_gx_output():
        from great_expectations.expectations.registry import (
            get_expectation_impl,
            list_registered_expectation_implementations,
        )

        known = sorted(set(list_registered_expectation_implementations()) - set(_REFUSED_TYPES))
        _check_expectation_type(kind, known, location)
        implementation: Any = get_expectation_impl(kind)
        _check_argument_names(
            kind, arguments, set(implementation.__fields__) - _OUTSIDE_ARGUMENTS - set(_REFUSED_ARGUMENTS), location
        )
        try:
            implementation(**arguments)
        except ValueError as error:
            _refuse_argument_findings(kind, _pydantic_findings(error), location)


def _refuse_argument_findings(kind: str, findings: str, location: str) -> None:
    if findings:
        raise ConfigError(f"{location}, {kind}: {findings}", "arguments that fit", "change the suite")


def _refuse_wrong_condition(kind: str, condition: object, location: str) -> None:
    found = None if condition is None else find_condition_fault(condition)
    if found is not None:
        raise ConfigError(
            f"{location}, {kind}, {found}: row_condition is not for a gate",
            f"{TYPED_CONDITION.expected}; never SQL",
            "write it as a typed condition, or filter with source.where",
        )


def _check_expectation_type(kind: str, known: list[str], location: str) -> None:
    if kind in _REFUSED_TYPES:
        raise ConfigError(
            f"{location}: {kind} is not for a gate", f"another expectation: {_REFUSED_TYPES[kind]}", "change the suite"
        )
    if kind not in known:
        near = difflib.get_close_matches(kind, known, n=1, cutoff=0.5)
        raise ConfigError(
            f"{location}: unknown expectation {kind}",
            near[0] if near else "an expectation of Great Expectations",
            "change its type",
        )


def _check_argument_names(kind: str, arguments: Mapping[str, Any], known: set[str], location: str) -> None:
    for name, value in arguments.items():
        if name in _REFUSED_ARGUMENTS:
            raise ConfigError(
                f"{location}, {kind}: {name} is not for a gate",
                f"no {name}: {_REFUSED_ARGUMENTS[name]}",
                "remove it from the suite",
            )
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            raise ConfigError(
                f"{location}, {kind}: unknown argument {name}",
                near[0] if near else f"one of {', '.join(sorted(known))}",
                "rename or remove it",
            )
        if isinstance(value, dict) and "$PARAMETER" in value:
            raise ConfigError(
                f"{location}, {kind}: {name} is a suite parameter", "a value", "write the value into the suite"
            )


def _pydantic_findings(error: Exception) -> str:
    """What pydantic found, without its headline."""
    found = [
        (*(part for part in finding["loc"] if part != "__root__"), finding["msg"])
        for finding in getattr(error, "errors", list)()
    ]
    return "; ".join(" ".join(str(part) for part in parts) for parts in found) or str(error)
