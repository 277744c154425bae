"""A micro-batch of few rows, landed by the driver: one file, one commit, no write by Spark."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import pyarrow as pa
from deltalake import DeltaTable, Schema
from pyspark.sql import DataFrame
from pyspark.sql import types as spark_types

from sparkscore.records import UnversionedSource, format_commit_note
from sparkscore.store.direct_commits import append_directly
from sparkscore.store.landing_tables import NO_STATISTICS, describe_landed_rows, has_plain_names, landing_guard
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import PLAIN_READER_PROPERTIES
from sparkscore.store.table_location import DIRECT_ERRORS

MOST_LANDED_ROWS = 10_000
"""With more rows Spark writes the landing: its tasks beside one another, and the driver holds none of them."""
_PLAIN_TYPES = (
    spark_types.BooleanType,
    spark_types.ByteType,
    spark_types.ShortType,
    spark_types.IntegerType,
    spark_types.LongType,
    spark_types.FloatType,
    spark_types.DoubleType,
    spark_types.DecimalType,
    spark_types.StringType,
    spark_types.BinaryType,
    spark_types.DateType,
    spark_types.TimestampType,
)
"""Types of which Arrow's form of a column is certain to be Delta's."""


def land_few_rows(
    frame: DataFrame, table: Table, source: UnversionedSource, *, keys: Sequence[str], job: str, number: int
) -> bool:
    """Whether the rows are landed now, by one commit that only happens once; False where Spark has to do it.

    Jobs:    one that reads the rows, `MOST_LANDED_ROWS` of them and one more.
    Raises:  PublishConflict, and whatever the source's reader raises.
    """
    if not has_plain_names(frame.schema) or not all(_is_exact_in_arrow(one.dataType) for one in frame.schema):
        return False
    rows = frame.limit(MOST_LANDED_ROWS + 1).toArrow()
    if rows.num_rows > MOST_LANDED_ROWS:
        return False
    rows = rows.sort_by([(key, "ascending") for key in keys])  # keys that ascend prove that none is there twice
    note = describe_landed_rows(source, job=job, number=number, writer=uuid4().hex)
    with suppress(*DIRECT_ERRORS):
        _create_landing(table, rows.schema)
        guard, text = landing_guard(source, number), format_commit_note(note)
        landed = append_directly(table, rows, guard=guard, note=text, row_group_rows=MOST_LANDED_ROWS)
        return landed is not None
    return False


def _is_exact_in_arrow(kind: spark_types.DataType) -> bool:
    if type(kind) is spark_types.StringType:
        return kind == spark_types.StringType()  # not one with a collation
    return type(kind) in _PLAIN_TYPES


def _create_landing(table: Table, schema: pa.Schema) -> None:
    location = table.location
    DeltaTable.create(
        location.uri,
        Schema.from_arrow(pa.schema([pa.field(one.name, one.type) for one in schema])),
        mode="ignore",
        configuration={
            **NO_STATISTICS,
            **{name: value for name, value in PLAIN_READER_PROPERTIES.items() if "Version" not in name},
        },
        storage_options=dict(location.options) or None,
        raise_if_key_not_exists=False,
    )
    table.refresh()
