"""The source of a stream: new rows of a Delta table, records of Kafka, or whatever else Spark streams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamReader
from pyspark.sql.types import StringType, StructField, StructType
from pyspark.sql.window import Window

from sparkscore.errors import ConfigError
from sparkscore.ingest.landing.source_schema import parse_declared_schema
from sparkscore.records import CORRUPT_COLUMN, TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier, quote_table

KAFKA_PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_2.13"
"""Spark's connector for Kafka; its version is Spark's."""
_TOPIC_OPTIONS = ("subscribe", "subscribepattern", "assign")
_VALUE, _RECORD, _TEXT, _RANK = "value", "_sparkscore_record_", "_sparkscore_text_", "_sparkscore_rank_"


@dataclass(frozen=True, slots=True)
class StreamSource:
    """What a stream reads."""

    format: str
    name: str
    """As the config names it: a table, or a topic."""
    ref: TableRef | None = None
    """The Delta table; None for other formats."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of Spark's reader; secrets among them."""
    declared: str | None = None
    """The columns of a record as DDL."""

    @property
    def is_delta(self) -> bool:
        """Whether it has versions."""
        return self.ref is not None

    @property
    def is_kafka(self) -> bool:
        """Whether its records are text in JSON."""
        return self.format.lower() == "kafka"


def open_stream_rows(spark: SparkSession, source: StreamSource) -> DataFrame:
    """The rows of a stream, with the source's own columns; of a change data feed, with those of the feed.

    Jobs:    none.
    Raises:  ConfigError for a format that Spark does not know, or that lacks an option or a schema; TableNotFound.
    """
    reader = spark.readStream.format(source.format).options(**source.options)
    try:
        with translate_spark_errors(f"opening the stream of {source.name}"):
            if source.is_kafka:
                return _decode_records(reader, source)
            return _open_reader(reader, source)
    except Exception as error:
        text = str(error)
        if "DATA_SOURCE_NOT_FOUND" in text or "Failed to find data source" in text or "Failed to find the data" in text:
            raise _missing_connector(spark, source) from error
        if "chema must be specified" in text or "UNABLE_TO_INFER_SCHEMA" in text:
            raise ConfigError(
                f"a stream of {source.format} does not say which columns it has",
                "source.schema: columns and types as in CREATE TABLE",
                "name them: source.schema: id bigint, x1 double",
            ) from error
        raise


def _open_reader(reader: DataStreamReader, source: StreamSource) -> DataFrame:
    if source.ref is not None:
        return reader.load(source.ref.path) if source.ref.path is not None else reader.table(quote_table(source.ref))
    if source.declared is not None:
        reader = reader.schema(parse_declared_schema(source.declared))
    return reader.load(source.name) if "/" in source.name else reader.load()


def _decode_records(reader: DataStreamReader, source: StreamSource) -> DataFrame:
    """The columns of each record's value, and the text of what is none. A record without a value is left out."""
    if source.declared is None:
        raise ConfigError(
            "the records of a topic do not say which columns they have",
            "source.schema: columns and types as in CREATE TABLE",
            "say which fields of the JSON are scored: source.schema: id bigint, carrier string, x1 double",
        )
    if not any(name.lower() in _TOPIC_OPTIONS for name in source.options):
        reader = reader.option("subscribe", source.name)
    columns = parse_declared_schema(source.declared)
    schema = StructType([*columns, StructField(CORRUPT_COLUMN, StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT_COLUMN}
    text = F.col(_VALUE).cast("string")
    rows = reader.load().where(F.col(_VALUE).isNotNull()).select(text.alias(_TEXT))
    rows = rows.select(_TEXT, F.from_json(_TEXT, schema, options).alias(_RECORD))
    corrupt = F.col(f"{_RECORD}.{CORRUPT_COLUMN}")
    # half a record may have the key of a whole one
    fields = [
        F.when(corrupt.isNull(), F.col(_RECORD)[name]).alias(name) for name in columns.names if name != CORRUPT_COLUMN
    ]
    return rows.select(*fields, corrupt.alias(CORRUPT_COLUMN))


def _missing_connector(spark: SparkSession, source: StreamSource) -> ConfigError:
    package = f"{KAFKA_PACKAGE}:{spark.version}" if source.is_kafka else "the connector's package"
    return ConfigError(
        f"Spark does not know the format {source.format}",
        f"{package} on the class path",
        f"start it with --packages {package}, beside Delta's own"
        if source.is_kafka
        else "add its jar to the session: spark.jars.packages, or --packages",
    )


def select_batch_rows(
    frame: DataFrame, *, keys: Sequence[str], is_feed: bool = False, newest_by: str | None = None
) -> DataFrame:
    """The rows of a micro-batch that are scored: of a change data feed each key as its last change left it, and
    of rows with one key the newest ones by a column. Rows that are equally new all stay.

    Jobs:    none.
    Raises:  ConfigError for a column that is not there.
    """
    if is_feed:
        order = [F.col("_commit_version").desc(), (F.col("_change_type") == "delete").asc()]
        changes = _keep_newest(frame.where("_change_type != 'update_preimage'"), keys, order)
        frame = changes.where("_change_type != 'delete'").drop("_change_type", "_commit_version", "_commit_timestamp")
    if newest_by is None:
        return frame
    if newest_by not in frame.columns:
        raise ConfigError(
            f"the source has no column {newest_by}", f"one of {', '.join(frame.columns)}", "correct stream.newest_by"
        )
    return _keep_newest(frame, keys, [F.col(quote_identifier(newest_by)).desc_nulls_last()])


def _keep_newest(frame: DataFrame, keys: Sequence[str], order: Sequence[Column]) -> DataFrame:
    """Of the rows with one key those that come first; a row without a key is none of them, and stays."""
    columns = [F.col(quote_identifier(key)) for key in keys]
    lacks_key = reduce(or_, (column.isNull() for column in columns))
    rank = F.rank().over(Window.partitionBy(*columns).orderBy(*order))
    ranked = frame.withColumn(_RANK, F.when(lacks_key, F.lit(1)).otherwise(rank))
    return ranked.where(F.col(_RANK) == 1).drop(_RANK)


def parse_delta_offset(offset: Mapping[str, object] | None) -> int | None:
    """The version of a Delta source whose rows come next, as an offset of Spark's checkpoint says; None if it does
    not."""
    found = None if offset is None else offset.get("reservoirVersion")
    return found if isinstance(found, int) else None
