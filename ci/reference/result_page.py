"""The page of result lines, from the records of results."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ci.reference.markdown import escape_words, format_code, format_page, format_table
from ci.reference.source_text import read_attribute_texts, read_summary

from sparkscore.errors import ErrorSummary
from sparkscore.records import (
    BackfillReport,
    ComparisonReport,
    EvaluationReport,
    KeyExplanation,
    MaintenanceReport,
    MigrationReport,
    RunReport,
    ShadowReport,
    StreamReport,
)

_INTRODUCTION = """\
A command writes one line of JSON to stdout and nothing else; `--result FILE` writes the same line to a file.
`score`, `quickstart`, `rollback` and `rejects retry` write the result of an attempt, `stream`, `backfill`, `evaluate`,
`compare`, `explain`, `maintain`, `migrate` and `score --shadow` one of their own.
Whatever fails writes the result of an attempt with the status `failed`. `schema` is the version of the shape:
keys are added, never renamed."""
_RESULTS = (
    RunReport,
    StreamReport,
    BackfillReport,
    EvaluationReport,
    ComparisonReport,
    ShadowReport,
    KeyExplanation,
    MaintenanceReport,
    MigrationReport,
)
_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any value"}


def build_result_page() -> str:
    """The page."""
    parts = [part for kind in _RESULTS for part in _format_record(kind, level=2)]
    nested = dict.fromkeys(one for kind in _RESULTS for one in _nested_records(kind) if one not in _RESULTS)
    parts += [part for kind in nested for part in _format_record(kind, level=3)]
    return format_page("Results", [_INTRODUCTION, *parts])


def _format_record(kind: type, *, level: int) -> list[str]:
    table = format_table(("key", "type", "meaning"), _format_keys(kind))
    return [f"{'#' * level} {kind.__name__}", escape_words(read_summary(kind)), table]


def _format_keys(kind: type) -> Iterator[tuple[str, str, str]]:
    texts, hints = read_attribute_texts(kind), get_type_hints(kind)
    for field in dataclasses.fields(kind):
        meaning = re.sub(r"\bNone\b", "null", texts[field.name])
        yield format_code(_json_key(kind, field.name)), _describe_json(hints[field.name]), escape_words(meaning)


def _json_key(kind: type, name: str) -> str:
    """The key in JSON: `class` is no name of Python's."""
    return "class" if kind is ErrorSummary and name == "class_name" else name


def _nested_records(kind: type) -> Iterator[type]:
    """The records that it holds, and those that they hold."""
    for annotation in get_type_hints(kind).values():
        for one in _flatten_types(annotation):
            if isinstance(one, type) and dataclasses.is_dataclass(one):
                yield one
                yield from _nested_records(one)


def _flatten_types(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    yield from (one for part in inner for one in _flatten_types(part)) if inner else (annotation,)


def _describe_json(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(format_code(str(one)) for one in inner)
    if origin in (UnionType, Union):
        return _join_types(inner)
    if origin is tuple:
        return f"list of {_describe_json(inner[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object of {_describe_json(inner[1])}"
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _WORDS[annotation]


def _join_types(kinds: Iterable[Any]) -> str:
    return " or ".join("null" if one is type(None) else _describe_json(one) for one in kinds)
