"""Rows of a change range as Spark's frames: what each does, and what they come to."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import DataType

from sparkscore.errors import SparkscoreError, VersionGone
from sparkscore.ingest.change_files import ChangeScan
from sparkscore.ingest.change_reading import (
    CHANGE_TYPE_COLUMN,
    ORDER_COLUMN,
    SIGN_COLUMN,
    TAKING_CHANGES,
    SignedSplits,
)
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import ChangeRange, Snapshot
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier, quote_table
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.spark.split_frame import create_split_frame, split_evenly
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.table import Table

_WAVES = 2
_FEED_PROPERTY = "delta.enableChangeDataFeed"
_NET, _ROW, _KEY, _GROUP = "_sparkscore_net", "_sparkscore_row", "_sparkscore_key", "_sparkscore_group"


def read_signed_splits(spark: SparkSession, scans: Sequence[ChangeScan], snapshot: Snapshot) -> DataFrame:
    """The rows of the scans, read by tasks, in the snapshot's columns, with sign and order.

    Jobs:    none.
    """
    schema = pa.schema([snapshot.schema.field(name).with_nullable(True) for name in snapshot.columns])
    schema = schema.append(pa.field(SIGN_COLUMN, pa.int8())).append(pa.field(ORDER_COLUMN, pa.int64()))
    splits = [split for scan in scans for split in scan.splits]
    if not splits:
        return create_frame(spark, [], from_arrow_schema(schema))
    owners = [place for place, scan in enumerate(scans) for _ in scan.splits]
    tasks = split_evenly(range(len(splits)), min(len(splits), _WAVES * count_task_slots(spark)))
    work = SignedSplits([scan.reader for scan in scans], owners)
    return create_split_frame(spark, splits, tasks).mapInArrow(work, from_arrow_schema(schema))


def read_signed_rows(table: Table, snapshot: Snapshot, changes: ChangeRange, *, advice: str) -> tuple[DataFrame, str]:
    """The same where only Spark reads the log: by the change data feed if the range has one, else both versions whole.

    Jobs:    a small one that asks whether the feed has the range.
    Raises:  VersionGone with the advice.
    """
    try:
        feed = _read_feed(table, snapshot, changes)
        if feed is not None:
            return feed, "Spark read the change data feed"
        both = [(changes.since, -1), (changes.until, 1)]
        before, after = (_read_version(table, snapshot, version, sign) for version, sign in both)
        return before.unionByName(after), "Spark compared both versions"
    except SparkscoreError as error:
        raise VersionGone(
            f"the changes {changes.description} of {table.name} cannot be read: {error.found}",
            "versions that the log, the feed and the files of the table still hold",
            advice,
        ) from error


def _read_feed(table: Table, snapshot: Snapshot, changes: ChangeRange) -> DataFrame | None:
    if table.properties.get(_FEED_PROPERTY, "false").lower() != "true" or changes.since == changes.until:
        return None
    reader = table.spark.read.format("delta").option("readChangeFeed", "true")
    reader = reader.option("startingVersion", changes.since + 1).option("endingVersion", changes.until)
    try:
        rows = reader.table(quote_table(table.ref)) if table.path is None else reader.load(table.path)
        sign = F.when(F.col(CHANGE_TYPE_COLUMN).isin(*TAKING_CHANGES), -1).otherwise(1)
        signed = _select_signed(rows, snapshot, sign, F.col("_commit_version"))
        signed.isEmpty()
    except Exception:  # noqa: BLE001  the versions themselves may be readable: the feed may be younger than the range
        return None
    return signed


def _read_version(table: Table, snapshot: Snapshot, version: int, sign: int) -> DataFrame:
    with translate_spark_errors(f"reading {table.name} at version {version}"):
        rows = table.load_rows(version)
        have = rows.columns
        absent = {name: kind for name, kind in _snapshot_types(snapshot).items() if name not in have}
        rows = rows.withColumns({name: F.lit(None).cast(kind) for name, kind in absent.items()})
        return _select_signed(rows, snapshot, F.lit(sign), F.lit(version))


def _snapshot_types(snapshot: Snapshot) -> dict[str, DataType]:
    return {field.name: arrow_to_spark_type(field.type) for field in snapshot.schema}


def _select_signed(rows: DataFrame, snapshot: Snapshot, sign: Column, order: Column) -> DataFrame:
    kinds = _snapshot_types(snapshot)
    own = [F.col(quote_identifier(name)).cast(kinds[name]).alias(name) for name in snapshot.columns]
    met = rows.where(to_spark_filter(snapshot.where, snapshot.schema)) if snapshot.where else rows
    return met.select(*own, sign.cast("tinyint").alias(SIGN_COLUMN), order.cast("bigint").alias(ORDER_COLUMN))


def net_signed_rows(signed: DataFrame, snapshot: Snapshot, *, compare: Sequence[str]) -> tuple[DataFrame, DataFrame]:
    """The rows that are there once more than before, as the last commit left them; the keys of which only less is.

    Jobs:    none; one shuffle by what is compared, and one by key.
    """
    names, kinds = snapshot.columns, {field.name: field.dataType.simpleString() for field in signed.schema}
    groups = [_group_column(name, kinds[name]).alias(f"{_GROUP}{place}") for place, name in enumerate(compare)]
    row = F.struct(*(F.col(quote_identifier(name)) for name in names))
    key = F.struct(*(F.col(quote_identifier(name)) for name in snapshot.keys))
    brought = F.when(F.col(SIGN_COLUMN) > 0, F.col(ORDER_COLUMN))
    summed = signed.groupBy(*groups).agg(
        F.sum(SIGN_COLUMN).cast("int").alias(_NET), F.max_by(row, brought).alias(_ROW), F.first(key).alias(_KEY)
    )
    changed = summed.where(f"{_NET} > 0").select(F.explode(F.array_repeat(_ROW, F.col(_NET))).alias(_ROW))
    rows = changed.select(*(F.col(_ROW)[name].alias(name) for name in names))
    keys = list(snapshot.keys)
    lost = summed.where(f"{_NET} < 0").select(*(F.col(_KEY)[name].alias(name) for name in keys)).na.drop().distinct()
    there = rows.select(*map(quote_identifier, keys))
    return rows, lost.join(there, on=keys, how="left_anti")


def _group_column(name: str, kind: str) -> Column:
    """Spark makes no groups of maps: one that holds them as JSON."""
    column = F.col(quote_identifier(name))
    return F.to_json(F.struct(column)) if "map<" in kind else column
