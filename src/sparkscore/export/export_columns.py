"""Refuses columns that a target cannot take, before a run has cost anything."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from sparkscore.errors import ConfigError

_Fits = Callable[[pa.DataType], bool]


def _is_plain(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind) or pa.types.is_duration(kind))


def _is_database_type(kind: pa.DataType) -> bool:
    return _is_plain(kind) and not pa.types.is_unsigned_integer(kind) and not pa.types.is_float16(kind)


_TAKEN: Mapping[str, tuple[_Fits, str]] = {
    "parquet": (lambda kind: not pa.types.is_null(kind), "a type that Arrow has"),
    "csv": (
        lambda kind: _is_plain(kind) and not pa.types.is_binary(kind),
        "numbers, texts, booleans, dates and timestamps",
    ),
    "": (_is_database_type, "signed numbers, texts, booleans, dates, timestamps and binary values"),
}
"""What the types of a format have to be, and in words; of databases under no name."""


def check_export_columns(schema: pa.Schema, *, name: str, kind: str) -> None:
    """Refuse columns of types that the target of an export does not take.

    Raises:  ConfigError.
    """
    fits, expected = _TAKEN.get(kind, _TAKEN[""])
    refused = [f"{field.name} ({field.type})" for field in schema if not fits(field.type)]
    if refused:
        raise ConfigError(
            f"the export {name} cannot copy {', '.join(refused)} to {kind}",
            expected,
            "name the other columns in its `columns`, or export to parquet",
        )


def choose_export_columns(schema: pa.Schema, columns: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of an export in the order of the table: those that are named, and always keys, as_of and run_id."""
    wanted = {*columns, *keys, "as_of", "run_id"}
    return tuple(name for name in schema.names if not columns or name in wanted)
