"""A small table as a part of an output column: its keys as texts, its values, what it may hold. Pure."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.records import LookUp, LookupRows, json_digest, key_text
from sparkscore.settings.output_column_settings import LookupSettings

MAX_OUTPUT_LOOKUP_ROWS = 10_000
"""Fewer than for a model's inputs: keys and values stand in the query that computes the column."""
_KEY_TYPES = "text, whole numbers or booleans"
_VALUE_TYPES = "text, numbers, booleans or dates"


def plan_lookup(
    lookup: LookupSettings, found: LookupRows, types: Mapping[str, pa.DataType], *, column: str
) -> tuple[LookUp, pa.DataType]:
    """The operation, and the type of its results. `types`: of the prediction table's columns.

    Needs:   rows as `expressions.lookup_rows` reads them.
    Raises:  ConfigError for columns that do not fit.
    """
    words = f"output.columns, {column}: the table {lookup.table} (version {found.version})"
    _check_lookup_types(lookup, found.rows.schema, types, words)
    parts = [one.combine_chunks().cast(pa.string()).to_pylist() for one in found.rows.columns[:-1]]
    keys = [key_text(one) for one in zip(*parts, strict=True)]
    kind = found.rows.schema.types[-1]
    texts = found.rows.columns[-1].combine_chunks().cast(pa.string()).to_pylist()
    order = sorted(range(len(keys)), key=lambda at: keys[at].encode())
    operation = LookUp(
        tuple(lookup.key.values()),
        tuple(keys[at] for at in order),
        tuple(texts[at] for at in order),
        _default_text(lookup, kind, words),
    )
    return operation, kind


def lookup_digest(operations: Sequence[LookUp]) -> str:
    """sha256 over what is used of a table."""
    return json_digest([[one.keys, one.values] for one in operations])


def _check_lookup_types(
    lookup: LookupSettings, schema: pa.Schema, types: Mapping[str, pa.DataType], words: str
) -> None:
    for (name, own), theirs in zip(lookup.key.items(), schema.types, strict=False):
        if _key_family(theirs) is None or _key_family(theirs) != _key_family(types[own]):
            raise ConfigError(
                f"{words}: its key {name} is {theirs}, and {own} is {types[own]}",
                f"two columns of one kind: {_KEY_TYPES}",
                "name other columns, or cast the key in that table",
            )
    kind = schema.types[-1]
    if _key_family(kind) is None and not pa.types.is_floating(kind) and not pa.types.is_date32(kind):
        raise ConfigError(f"{words}: {lookup.value} is {kind}", _VALUE_TYPES, "cast it in that table")


def _key_family(kind: pa.DataType) -> str | None:
    families = {"text": pa.types.is_string, "whole": pa.types.is_integer, "boolean": pa.types.is_boolean}
    return next((name for name, fits in families.items() if fits(kind)), None)


def _default_text(lookup: LookupSettings, kind: pa.DataType, words: str) -> str | None:
    value = lookup.default
    if value is None:
        return None
    fits = {
        str: pa.types.is_string(kind) or pa.types.is_date32(kind),
        bool: pa.types.is_boolean(kind),
        int: pa.types.is_integer(kind) or pa.types.is_floating(kind),
        float: pa.types.is_floating(kind),
    }[type(value)]
    try:
        if fits:
            return str(pa.scalar(value).cast(kind).cast(pa.string()).as_py())
    except pa.ArrowInvalid:
        pass
    raise ConfigError(
        f"{words}: {lookup.value} is {kind}, and lookup.default is {value!r}",
        "a default of that type",
        "correct lookup.default, or leave it out for NULL",
    )
