"""A source pinned to one version, and its rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import StructType, TimestampType

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.ingest.column_checks import check_source_columns
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import Condition, Snapshot
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.error_translation import refuse_unsafe_reads, translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.settable_conf import read_setting
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.other_sources import name_other_source
from sparkscore.store.table import Table
from sparkscore.store.table_log import TableLog, sum_logged_rows

SAMPLE_LIMIT = 10_000
"""Rows of a sample pass through the driver's memory."""

_UNSAFE_READ_SETTINGS = ("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles")


def pin_source(  # noqa: PLR0913 -- a run's wishes, each a plain value
    table: Table,
    *,
    version: int | Literal["latest", "as_of"],
    as_of: datetime,
    keys: Sequence[str],
    where: Sequence[Condition],
    columns: Sequence[str],
    passthrough: Sequence[str] = (),
    sensitive: Sequence[str] = (),
    names: Mapping[str, str] = MappingProxyType({}),
) -> Snapshot:
    """The table at one integer version, and what a run reads of it.

    Needs:   `columns` the run's keys, model inputs and pass-through; the signature check refuses an absent input.
             `names`, source column -> column of the prediction table, where they differ.
    Jobs:    none that reads data.
    Raises:  TableNotFound; ConfigError for a version that does not exist; for keys, pass-through, filter or sensitive
             columns that are absent, reserved or of a wrong type; for a filter's value that does not fit its column;
             for a session that skips damaged files.
    """
    refuse_unsafe_session(table.spark)
    try:
        newest = table.load_newest_version()
    except TableNotFound as absent:
        raise name_other_source(table) or absent from absent
    pinned = _resolve_source_version(table, version, as_of=as_of, newest=newest)
    schema = spark_to_arrow_schema(table.load_schema(pinned))
    columns_by_use = {"keys": keys, "passthrough": passthrough, "sensitive": sensitive}
    check_source_columns(schema, table=f"{table.name} at version {pinned}", where=where, names=names, **columns_by_use)
    to_spark_filter(where, schema)
    read = tuple(dict.fromkeys(columns))
    return Snapshot(table.ref, table.id, pinned, schema, read, tuple(keys), tuple(where))


def refuse_unsafe_session(spark: SparkSession) -> None:
    """Refuse a session that skips damaged files.

    Raises:  ConfigError.
    """
    refuse_unsafe_reads({name: (read_setting(spark, name) or "false").lower() for name in _UNSAFE_READ_SETTINGS})


def snapshot_frame(spark: SparkSession, snapshot: Snapshot) -> DataFrame:
    """The rows of the pinned version that meet the filter, with exactly the snapshot's columns, in order.

    Grain:   as the source table.
    Jobs:    none.
    """
    rows = (
        Table(spark, snapshot.table).load_rows(snapshot.version).where(to_spark_filter(snapshot.where, snapshot.schema))
    )
    return rows.selectExpr(*map(quote_identifier, snapshot.columns))


def count_snapshot_rows(spark: SparkSession, snapshot: Snapshot, *, source: Table | None = None) -> int:
    """How many rows a run reads. Without a filter the log may answer, even if the files are gone.

    `source`: the snapshot's table, where its log is open already.

    Jobs:    none where the log knows the rows of each file, else one Spark job over the data.
    Raises:  AccessDenied, and whatever else `spark.error_translation` knows of a source that cannot be read.
    """
    known = None if snapshot.where else sum_logged_snapshot_rows(source or Table(spark, snapshot.table), snapshot)
    if known is not None:
        return known
    with translate_spark_errors(f"counting the rows of {snapshot.table.name}"):
        return snapshot_frame(spark, snapshot).count()


def sum_logged_snapshot_rows(source: Table, snapshot: Snapshot) -> int | None:
    """The rows by the statistics of the pinned version's files, those that a filter leaves out among them.

    None where a file has none, or only Spark knows.

    Jobs:    none.
    """

    def count(log: TableLog) -> int | None:
        table = log.open_version(snapshot.version)
        is_pinned_one = str(table.metadata().id) == snapshot.table_id
        return sum_logged_rows(pa.table(table.get_add_actions(flatten=True))) if is_pinned_one else None

    try:
        return source.ask_log(count)
    except TableNotFound:  # gone since it was pinned: Spark says what is left of it
        return None


def sample_snapshot(spark: SparkSession, snapshot: Snapshot, rows: int) -> DataFrame:
    """At most so many rows of `snapshot_frame`, cut before anything is built on top: whatever is scored of it, no
    more is read.

    Jobs:    one small job per widening of the search, usually one; the result holds its rows, no plan of the source.
    Raises:  ConfigError beyond 10,000 rows.
    """
    return sample_frame(snapshot_frame(spark, snapshot), rows, name=snapshot.table.name)


def sample_frame(frame: DataFrame, rows: int, *, name: str) -> DataFrame:
    """At most so many rows of a frame, `name`: as `sample_snapshot`.

    Raises:  ConfigError beyond 10,000 rows.
    """
    if not 1 <= rows <= SAMPLE_LIMIT:
        raise ConfigError(
            f"a sample of {rows:,} rows was requested",
            f"1 to {SAMPLE_LIMIT:,}: a sample passes through the driver's memory",
            "request fewer rows, or run the whole job",
        )
    limited = frame.limit(rows)
    with translate_spark_errors(f"reading rows of {name}"):
        collected = limited.collect()
    return create_frame(frame.sparkSession, [_to_utc_row(row, limited.schema) for row in collected], limited.schema)


def _resolve_source_version(
    table: Table, version: int | Literal["latest", "as_of"], *, as_of: datetime, newest: int
) -> int:
    if version == "as_of":
        return table.find_version_at(as_of)
    if version == "latest":
        return newest
    if not 0 <= version <= newest:
        raise ConfigError(f"no version {version} of {table.name}", f"0 to {newest}", "change source.version")
    return version


def _to_utc_row(row: Row, schema: StructType) -> tuple[Any, ...]:
    """The row with its timestamps in UTC: Spark gives them in the driver's zone, where one hour comes twice a year."""
    return tuple(
        value.astimezone(UTC) if isinstance(field.dataType, TimestampType) and value is not None else value
        for field, value in zip(schema, row, strict=True)
    )
