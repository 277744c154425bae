"""Reads the small tables that expressions look values up in. Runs on the driver."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ConfigError
from sparkscore.expressions.lookup_rows import VALUE_NAME, LookupColumns, find_lookup_types, read_lookup_rows
from sparkscore.expressions.number_types import is_number_type
from sparkscore.expressions.typed_expressions import LONG, LookupContent
from sparkscore.records import LookupExpression
from sparkscore.spark.type_mapping import has_types_of_spark_alone
from sparkscore.store.table import Table

MAX_LOOKUP_ROWS = 100_000
_KEY_TYPES: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_signed_integer,
    pa.types.is_string,
    pa.types.is_boolean,
    pa.types.is_date32,
)


def load_lookup_content(table: Table, version: int, lookup: LookupExpression) -> LookupContent:
    """The keys and values of a table at a version, by the rule of `lookup_rows`.

    Jobs:    one, which reads these columns.
    Raises:  ConfigError for a table that lacks a column, has one of another type, is too large, or has a key twice;
             TableNotFound; whatever reading raises. No value is shown.
    """
    keys = tuple(column for column, _ in lookup.key)
    wanted = LookupColumns(f"the lookup table {lookup.table}", keys, lookup.value, MAX_LOOKUP_ROWS)
    _check_types(find_lookup_types(table, version, wanted), lookup, keys)
    return LookupContent(_widen_whole_keys(read_lookup_rows(table, version, wanted)))


def _check_types(schema: pa.Schema, lookup: LookupExpression, keys: Sequence[str]) -> None:
    unfit = [name for name in keys if not any(fits(schema.field(name).type) for fits in _KEY_TYPES)]
    value = schema.field(lookup.value).type
    is_value = is_number_type(value) or any(fits(value) for fits in _KEY_TYPES)
    collated = has_types_of_spark_alone(pa.schema([schema.field(name) for name in keys]))
    if unfit or not is_value or collated:
        shown = ", ".join(f"{name} ({schema.field(name).type})" for name in unfit or [*keys, lookup.value])
        raise ConfigError(
            f"the lookup table {lookup.table} cannot be used by {shown}",
            "keys that are whole numbers, text without a collation, booleans or dates; a value of these, or a number",
            "cast the columns in the table",
        )


def _widen_whole_keys(rows: pa.Table) -> pa.Table:
    """Keys that are whole numbers as long, as the other side has them."""
    for index, field in enumerate(rows.schema):
        if field.name != VALUE_NAME and pa.types.is_signed_integer(field.type):
            rows = rows.set_column(index, field.name, pc.cast(rows.column(index), LONG))
    return rows
