"""Reads the small tables in which values are looked up, for a model's inputs and for output columns alike: one rule.

A row whose key holds a NULL is left out, since nothing equals NULL. All other keys stand there once. No value is shown.
Runs on the driver.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ConfigError
from sparkscore.settings.output_names import suggest_output_name
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table

MAX_LOOKUP_BYTES = 16 << 20
"""Of the columns that are read: they lie in the memory of each task."""
VALUE_NAME = "value"


@dataclass(frozen=True, slots=True)
class LookupColumns:
    """What is read of a small table, and how many rows it may have."""

    table: str
    """For messages: who looks up, and in which table."""
    keys: tuple[str, ...]
    value: str
    most_rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """As the rows that are read have them: `key0`, `key1`, …, `value`."""
        return *(f"key{index}" for index in range(len(self.keys))), VALUE_NAME


def find_lookup_types(table: Table, version: int, wanted: LookupColumns) -> pa.Schema:
    """The table's columns with their types.

    Raises:  ConfigError for a table that lacks one of those that are wanted; TableNotFound, VersionGone.
    """
    schema = spark_to_arrow_schema(table.load_rows(version).schema)
    for name in (*wanted.keys, wanted.value):
        if name not in schema.names:
            raise ConfigError(
                f"{wanted.table} has no column {name}{suggest_output_name(name, schema.names)}",
                "columns of that table in lookup.key and lookup.value: key names them, and what they must equal",
                "correct the name",
            )
    return schema


def read_lookup_rows(table: Table, version: int, wanted: LookupColumns) -> pa.Table:
    """The keys and the value, under the names of `LookupColumns.names`.

    Needs:   columns that are there, of types that the caller has checked.
    Jobs:    one, which reads these columns.
    Raises:  ConfigError for a table that is too large, or has a key twice; whatever reading raises.
    """
    frame = table.load_rows(version).selectExpr(*map(quote_identifier, (*wanted.keys, wanted.value)))
    with translate_spark_errors(f"reading {table.name}"):
        known = frame.toDF(*wanted.names).na.drop(subset=list(wanted.names[:-1]))
        rows = known.limit(wanted.most_rows + 1).toArrow().combine_chunks()
    _refuse_large_table(rows, wanted)
    _refuse_repeated_keys(rows, wanted)
    return rows


def _refuse_large_table(rows: pa.Table, wanted: LookupColumns) -> None:
    if rows.num_rows > wanted.most_rows or rows.nbytes > MAX_LOOKUP_BYTES:
        raise ConfigError(
            f"{wanted.table} has more than {wanted.most_rows:,} rows, or {MAX_LOOKUP_BYTES >> 20} MiB"
            f" of {', '.join((*wanted.keys, wanted.value))}",
            "a small table, which each task can hold",
            "join it in the source; for output columns, when the predictions are read",
        )


def _refuse_repeated_keys(rows: pa.Table, wanted: LookupColumns) -> None:
    counts = rows.group_by(list(wanted.names[:-1])).aggregate([([], "count_all")])["count_all"]
    repeated = pc.sum(pc.greater(counts, 1), min_count=0).as_py()
    if repeated:
        raise ConfigError(
            f"{wanted.table} has {repeated:,} keys of {', '.join(wanted.keys)} in more than one row",
            "each key once: else it would be left to chance which value a row gets",
            "make the table's keys unique, or add a column to lookup.key",
        )
