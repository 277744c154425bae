"""Delta tables: look up, read at a version, create by contract. All reads of a run go through here."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError, ForeignTable, PublishConflict, TableNotFound
from sparkscore.records import TableRef
from sparkscore.schemas import SCHEMA_VERSION, TableContract
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier, quote_table, sql_name
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.hadoop_folders import LOG_FOLDER, list_folder_names, remove_empty_log

JOB_PROPERTY = "sparkscore.job"
SCHEMA_PROPERTY = "sparkscore.schema"
EXPIRED_PROPERTY = "sparkscore.expired_revision"
"""The greatest revision of any as_of that retention has removed: Delta's guard still skips up to it."""
_CREATION_TIMEOUT_S = 10.0
"""How long another process may take from the folder of a table's log to its first commit: usually under a second."""
PLAIN_READER_PROPERTIES: Mapping[str, str] = {
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
    "delta.enableDeletionVectors": "false",
}
"""Properties that keep a table readable by the plainest Delta reader."""


def open_delta_table(spark: SparkSession, table: TableRef) -> DeltaTable:
    """The handle of an existing table.

    Raises:  TableNotFound, AccessDenied.
    """
    try:
        with translate_spark_errors(f"opening {table.name}"):
            # isDeltaTable would do for "is it there", but goes on saying no to a folder whose log was empty when it was
            # first asked: that of a stage whose first commit failed, and was made later without Spark
            return (
                DeltaTable.forName(spark, quote_table(table))
                if table.path is None
                else DeltaTable.forPath(spark, table.path)
            )
    except TableNotFound as error:
        if table.path is None:
            raise
        raise TableNotFound(
            f"no Delta table at {table.path}",
            "a folder with a _delta_log",
            "check the name; a plain name means a table under the home folder",
        ) from error


def is_delta_table(spark: SparkSession, table: TableRef) -> bool:
    """Whether there is a Delta table."""
    try:
        open_delta_table(spark, table)
    except TableNotFound:
        return False
    return True


def load_table_id(spark: SparkSession, table: TableRef) -> str:
    """Delta's id of the table: a table created again under the same name has another one.

    Raises:  TableNotFound, AccessDenied.
    """
    handle = open_delta_table(spark, table)
    with translate_spark_errors(f"reading the log of {table.name}"):
        return str(handle.detail().collect()[0]["id"])


def load_partition_columns(spark: SparkSession, table: TableRef) -> tuple[str, ...]:
    """The columns whose values appear in the paths of the table's files.

    Raises:  TableNotFound, AccessDenied.
    """
    handle = open_delta_table(spark, table)
    with translate_spark_errors(f"reading the log of {table.name}"):
        return tuple(handle.detail().collect()[0]["partitionColumns"])


def load_newest_version(spark: SparkSession, table: TableRef) -> int:
    """The newest version of a table.

    Raises:  TableNotFound, AccessDenied.
    """
    handle = open_delta_table(spark, table)
    with translate_spark_errors(f"reading the history of {table.name}"):
        return int(handle.history(1).collect()[0]["version"])


def load_table_properties(spark: SparkSession, table: TableRef) -> Mapping[str, str]:
    """The table's properties, from its metadata alone: DESCRIBE DETAIL would compute the whole state after a commit.

    Raises:  TableNotFound, AccessDenied.
    """
    open_delta_table(spark, table)
    with translate_spark_errors(f"reading the properties of {table.name}"):
        return {row["key"]: row["value"] for row in spark.sql(f"SHOW TBLPROPERTIES {sql_name(table)}").collect()}


def find_version_at(spark: SparkSession, table: TableRef, moment: datetime) -> int:
    """The newest version that was committed at or before a moment.

    Raises:  ConfigError when the table is younger, TableNotFound.
    """
    until = moment.astimezone(UTC)
    with translate_spark_errors(f"reading the history of {table.name}"):
        rows = (
            open_delta_table(spark, table)
            .history()
            .where(F.col("timestamp") <= F.lit(until))
            .agg(F.max("version"))
            .collect()
        )
    if rows[0][0] is None:
        raise ConfigError(
            f"{table.name} had no version at {moment.isoformat()}",
            "a table that is older than as_of",
            "use source.version: latest",
        )
    return int(rows[0][0])


def find_commit_time(spark: SparkSession, table: TableRef, version: int) -> datetime | None:
    """When a version was committed; None if the table's history no longer holds it.

    Raises:  TableNotFound, AccessDenied.
    """
    with translate_spark_errors(f"reading the history of {table.name}"):
        rows = (
            open_delta_table(spark, table)
            .history()
            .where(F.col("version") == F.lit(version))
            .select("timestamp")
            .collect()
        )
    return rows[0][0].astimezone(UTC) if rows else None


def load_table(spark: SparkSession, table: TableRef, version: int | None = None) -> DataFrame:
    """The rows of a table, pinned to an integer version, or as they are now.

    Raises:  TableNotFound, ConfigError for a version that is gone.
    """
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    open_delta_table(spark, table)
    with translate_spark_errors(f"reading {table.name} at version {version}"):
        return reader.table(quote_table(table)) if table.path is None else reader.load(table.path)


def ensure_table(spark: SparkSession, table: TableRef, contract: TableContract, *, job: str) -> None:
    """Create the table by its contract if it is absent; otherwise check its owner and its contract.

    Raises:  ForeignTable, ConfigError, AccessDenied.
    """
    for last in (False, True):
        if is_delta_table(spark, table):
            break
        try:
            _create_contract_table(spark, table, contract, job=job)
        except PublishConflict:  # somebody else has made it meanwhile
            break
        except TableNotFound as error:  # its folder is there, and is no table
            if table.path is None:
                raise
            if last or not _wait_for_table(spark, table.path, table):
                raise ConfigError(
                    f"{table.path} holds files, but no Delta table",
                    "no folder, an empty one, or a Delta table",
                    f"give {table.name} another name, or move the files away",
                ) from error
    check_table_contract(
        spark, table, contract, job=job
    )  # also what was made here: where somebody was faster, Delta made nothing


def _create_contract_table(spark: SparkSession, table: TableRef, contract: TableContract, *, job: str) -> None:
    builder = DeltaTable.createIfNotExists(spark).comment(contract.comment)
    builder = builder.tableName(quote_table(table)) if table.path is None else builder.location(table.path)
    for column in contract.columns:
        builder = builder.addColumn(
            column.name, arrow_to_spark_type(column.type), nullable=column.nullable, comment=column.comment
        )
    own = {JOB_PROPERTY: job, SCHEMA_PROPERTY: str(SCHEMA_VERSION), **_statistics_properties(contract)}
    for name, value in {**PLAIN_READER_PROPERTIES, **own}.items():
        builder = builder.property(name, value)
    with translate_spark_errors(f"creating {table.name}"):
        builder.partitionedBy(*contract.partitioned_by).execute()


def _wait_for_table(spark: SparkSession, folder: str, table: TableRef) -> bool:
    """Whether another process has finished creating the table, or the remains of a dead one are removed."""
    if LOG_FOLDER not in list_folder_names(spark, folder):
        return False
    until = time.monotonic() + _CREATION_TIMEOUT_S
    while time.monotonic() < until:
        if is_delta_table(spark, table):
            return True
        time.sleep(_CREATION_TIMEOUT_S / 20)
    return remove_empty_log(spark, folder)


def _statistics_properties(contract: TableContract) -> Mapping[str, str]:
    """Statistics for the columns that name a row: those of all columns cost half of an append (2 M rows, 2 cores)."""
    named = [column for column in contract.columns if not column.nullable and _is_skippable_type(column.type)]
    columns = ",".join(quote_identifier(column.name) for column in named if column.name not in contract.partitioned_by)
    return {"delta.dataSkippingStatsColumns": columns} if columns else {}


def _is_skippable_type(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind)
    )


def check_table_contract(spark: SparkSession, table: TableRef, contract: TableContract, *, job: str) -> None:
    """Refuse a table of another job, of a newer version of sparkscore, or with other columns than the contract's.

    Raises:  ForeignTable, ConfigError.
    """
    check_table_owner(spark, table, job=job)
    with translate_spark_errors(f"reading the schema of {table.name}"):
        found = {field.name: field.dataType for field in open_delta_table(spark, table).toDF().schema}
    wanted = {column.name: arrow_to_spark_type(column.type) for column in contract.columns}
    problems = [f"{name} {kind.simpleString()} is missing" for name, kind in wanted.items() if name not in found]
    problems += [
        f"{name} is {found[name].simpleString()}, the job writes {kind.simpleString()}"
        for name, kind in wanted.items()
        if name in found and found[name] != kind
    ]
    problems += [f"{name} is not written by the job" for name in found if name not in wanted]
    if problems:
        raise ConfigError(
            f"{table.name} has other columns than the job writes: {'; '.join(problems)}",
            "the columns of the job's config",
            "give output.table another name",
        )


def check_table_owner(spark: SparkSession, table: TableRef, *, job: str) -> None:
    """Refuse a table that this job does not own.

    Raises:  ForeignTable.
    """
    known = load_table_properties(spark, table)
    found = known.get(JOB_PROPERTY)
    if found != job:
        raise ForeignTable(
            f"{table.name} belongs to {f'the job {found}' if found else 'no job of this suite'}",
            f"a table of the job {job}",
            "give output.table another name",
        )
    version = known.get(SCHEMA_PROPERTY, "")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise ForeignTable(
            f"{table.name} has schema {version or 'unknown'}", f"schema {SCHEMA_VERSION} or older", "upgrade sparkscore"
        )


def is_plain_type(kind: pa.DataType) -> bool:
    """Whether the plainest Delta reader can read a column of the type: no timestamps without zone, no Arrow null."""
    if pa.types.is_timestamp(kind):
        return kind.tz is not None
    if pa.types.is_nested(kind):
        return all(is_plain_type(kind.field(i).type) for i in range(kind.num_fields))
    return not (pa.types.is_null(kind) or pa.types.is_interval(kind) or pa.types.is_duration(kind))
