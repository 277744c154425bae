"""Which columns of a source may be keys, pass-through and filters."""

import difflib
from collections.abc import Sequence

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.records import Condition
from sparkscore.schemas import RESERVED_NAMES


def check_source_columns(
    schema: pa.Schema,
    *,
    table: str,
    keys: Sequence[str],
    passthrough: Sequence[str],
    where: Sequence[Condition],
    sensitive: Sequence[str] = (),
) -> None:
    """Refuse columns that the table lacks, names that the suite writes itself, and keys that are not exact values.

    Names are exact, case included: Spark would take `Month` for `month`, other readers of the predictions would not.

    Jobs:    none.
    Raises:  ConfigError.
    """
    filtered = [condition.column for condition in where]
    _refuse_missing_columns(
        schema, table, {"key": keys, "pass-through": passthrough, "filter": filtered, "sensitive column": sensitive}
    )
    _refuse_reserved_columns([*keys, *passthrough])
    _refuse_inexact_keys(schema, keys)


def _refuse_missing_columns(schema: pa.Schema, table: str, wanted: dict[str, Sequence[str]]) -> None:
    missing = [
        f"{use} {_suggest_column_name(name, schema.names)}"
        for use, names in wanted.items()
        for name in dict.fromkeys(names)
        if name not in schema.names
    ]
    if missing:
        raise ConfigError(
            f"{table} has no {'; no '.join(missing)}",
            "names of its columns, case included",
            f"choose from {_format_column_names(schema.names)}",
        )


def _refuse_reserved_columns(names: Sequence[str]) -> None:
    # Spark compares names without case, so Label beside label cannot be written either.
    taken = sorted(name for name in names if name.lower() in RESERVED_NAMES)
    if taken:
        raise ConfigError(
            f"keys or pass-through columns with reserved names: {', '.join(taken)}",
            f"none of {', '.join(sorted(RESERVED_NAMES))}",
            "rename the columns in the source",
        )


def _refuse_inexact_keys(schema: pa.Schema, keys: Sequence[str]) -> None:
    wrong = [f"{key} ({schema.field(key).type})" for key in keys if not _has_exact_equality(schema.field(key).type)]
    if wrong:
        raise ConfigError(
            f"keys of a type without exact equality: {', '.join(wrong)}",
            "whole numbers, decimals, text, booleans, dates or timestamps",
            "cast the column in the source, or choose another key",
        )


def _has_exact_equality(kind: pa.DataType) -> bool:
    return not (pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_null(kind))


def _suggest_column_name(name: str, names: Sequence[str]) -> str:
    near = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names, n=2)
    return f"{name} (nearest: {', '.join(near)})" if near else name


def _format_column_names(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
