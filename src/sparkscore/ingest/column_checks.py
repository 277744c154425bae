"""Which columns of a source may be keys, pass-through and filters."""

import difflib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.records import Condition
from sparkscore.schemas import RESERVED_NAMES
from sparkscore.spark.type_mapping import describe_source_type


def check_source_columns(
    schema: pa.Schema,
    *,
    table: str,
    keys: Sequence[str],
    passthrough: Sequence[str],
    where: Sequence[Condition],
    sensitive: Sequence[str] = (),
    names: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse columns that the table lacks, names that the suite writes itself, and keys that are not exact values.

    Names are exact, case included: Spark would take `Month` for `month`, other readers of the predictions would not.

    Needs:   `names`, source column -> column of the prediction table, where they differ.
    Jobs:    none.
    Raises:  ConfigError.
    """
    filtered = [condition.column for condition in where]
    _refuse_missing_columns(
        schema, table, {"key": keys, "pass-through": passthrough, "filter": filtered, "sensitive column": sensitive}
    )
    _refuse_reserved_columns({column: names.get(column, column) for column in (*keys, *passthrough)})
    _refuse_inexact_keys(schema, keys)


def _refuse_missing_columns(schema: pa.Schema, table: str, wanted: dict[str, Sequence[str]]) -> None:
    missing = [
        f"{use} {suggest_column_name(name, schema.names)}"
        for use, names in wanted.items()
        for name in dict.fromkeys(names)
        if name not in schema.names
    ]
    if missing:
        raise ConfigError(
            f"{table} has no {'; no '.join(missing)}",
            "names of its columns, case included",
            f"choose from {format_column_names(schema.names)}",
        )


def _refuse_reserved_columns(names: Mapping[str, str]) -> None:
    # Spark compares names without case, so Label beside label cannot be written either.
    taken = {column: name for column, name in names.items() if name.lower() in RESERVED_NAMES}
    if taken:
        advice = ", ".join(f"{json.dumps(column)}: source_{name.lower()}" for column, name in taken.items())
        raise ConfigError(
            f"keys or pass-through columns with reserved names: {', '.join(sorted(taken.values()))}",
            f"none of {', '.join(sorted(RESERVED_NAMES))}",
            f"give them other names in the prediction table, output.rename: {{{advice}}}",
        )


def _refuse_inexact_keys(schema: pa.Schema, keys: Sequence[str]) -> None:
    fields = [schema.field(key) for key in keys]
    wrong = [f"{one.name} ({describe_source_type(one)})" for one in fields if not _has_exact_equality(one.type)]
    if wrong:
        raise ConfigError(
            f"keys of a type without exact equality: {', '.join(wrong)}",
            "whole numbers, decimals, text, booleans, dates or timestamps",
            "cast the column in the source, or choose another key",
        )


def _has_exact_equality(kind: pa.DataType) -> bool:
    return not (pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_null(kind))


def suggest_column_name(name: str, names: Sequence[str]) -> str:
    """A name that is not there, with those that are near."""
    near = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names, n=2)
    return f"{name} (nearest: {', '.join(near)})" if near else name


def format_column_names(names: Sequence[str]) -> str:
    """Names for a message, not more than are read."""
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
