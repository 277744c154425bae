"""Tables by their contract: created if they are absent, given what they lack if they exist."""

import time
from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql.types import StructField, StructType

from sparkscore.errors import ConfigError, PublishConflict, TableNotFound
from sparkscore.schemas import SCHEMA_VERSION, TableContract
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.delta_handle import create_delta_table
from sparkscore.store.hadoop_folders import list_folder_names, remove_empty_log
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY, SCHEMA_PROPERTY, grow_table
from sparkscore.store.table_location import LOG_FOLDER

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


def ensure_table(table: Table, contract: TableContract, *, job: str) -> None:
    """Create the table by its contract if it is absent; otherwise check its owner, and add what it lacks.

    Needs:   a table that was refreshed, where others had time to change it since its log was opened.
    Raises:  ForeignTable, ConfigError, AccessDenied.
    """
    for last in (False, True):
        if table.exists():
            break
        try:
            _create_contract_table(table, contract, job=job)
        except PublishConflict:  # somebody else has made it meanwhile
            break
        except TableNotFound as error:  # its folder is there, and is no table
            if table.path is None:
                raise
            if last or not _wait_for_table(table, table.path):
                raise ConfigError(
                    f"{table.path} holds files, but no Delta table",
                    "no folder, an empty one, or a Delta table",
                    f"give {table.name} another name, or move the files away",
                ) from error
    # also what was made here: where somebody was faster, Delta made nothing
    grow_table(table, contract, job=job)


def _create_contract_table(table: Table, contract: TableContract, *, job: str) -> None:
    columns = [
        StructField(column.name, arrow_to_spark_type(column.type), column.nullable, {"comment": column.comment})
        for column in contract.columns
    ]
    with translate_spark_errors(f"creating {table.name}"):
        create_delta_table(
            table.spark,
            table.ref,
            StructType(columns),
            comment=contract.comment,
            properties={**PLAIN_READER_PROPERTIES, **contract_properties(contract, job=job)},
            partitioned_by=contract.partitioned_by,
        )


def contract_properties(contract: TableContract, *, job: str) -> Mapping[str, str]:
    """The properties of a new table that say whose it is, of which schema, and of which columns it has statistics."""
    return {JOB_PROPERTY: job, SCHEMA_PROPERTY: str(SCHEMA_VERSION), **_statistics_properties(contract)}


def _wait_for_table(table: Table, folder: str) -> bool:
    """Whether another process has finished creating the table, or the remains of a dead one are removed."""
    if LOG_FOLDER not in list_folder_names(table.spark, folder):
        return False
    until = time.monotonic() + _CREATION_TIMEOUT_S
    while time.monotonic() < until:
        if table.exists():
            return True
        time.sleep(_CREATION_TIMEOUT_S / 20)
    return remove_empty_log(table.spark, folder)


def _statistics_properties(contract: TableContract) -> Mapping[str, str]:
    """Statistics for the columns that name a row: those of all columns cost half of an append (2 M rows, 2 cores)."""
    named = [column for column in contract.columns if not column.nullable and _is_skippable_type(column.type)]
    columns = ",".join(quote_identifier(column.name) for column in named if column.name not in contract.partitioned_by)
    return {"delta.dataSkippingStatsColumns": columns} if columns else {}


def _is_skippable_type(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind)
    )


def is_plain_type(kind: pa.DataType) -> bool:
    """Whether the plainest Delta reader can read a column of the type: no timestamps without zone, no
    time of day, no Arrow null."""
    if pa.types.is_timestamp(kind):
        return kind.tz is not None
    if pa.types.is_nested(kind):
        return all(is_plain_type(kind.field(i).type) for i in range(kind.num_fields))
    is_ = pa.types
    return not (is_.is_null(kind) or is_.is_time(kind) or is_.is_interval(kind) or is_.is_duration(kind))
