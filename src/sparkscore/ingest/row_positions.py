"""In which block of which data file a row of a snapshot stands, for rows that Spark reads: they are named by it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import Snapshot, json_digest
from sparkscore.schemas import BLOCK_COLUMN, FILE_COLUMN
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.settable_conf import read_setting, try_settings
from sparkscore.store.table import Table

_POSITIONS = {FILE_COLUMN: "xxhash64(_metadata.file_path)", BLOCK_COLUMN: "_metadata.file_block_start"}
_TASKS_SETTING = "spark.sql.files.minPartitionNum"
_BLOCK_SETTINGS = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
"""What else decides how Spark cuts files into blocks."""


def load_positioned_rows(spark: SparkSession, snapshot: Snapshot) -> DataFrame | None:
    """As `snapshot.snapshot_frame`, with `FILE_COLUMN` and `BLOCK_COLUMN` of each row; None where Spark does not tell
    them.

    A file of a pinned version never changes, and Spark reads a block from its beginning, in order: with the same cut
    (`fix_file_blocks`) a block has the same rows in every attempt.

    Grain:   as the source table.
    Jobs:    none.
    """
    rows = Table(spark, snapshot.table).load_rows(snapshot.version)
    rows = rows.where(to_spark_filter(snapshot.where, snapshot.schema))
    try:
        found = rows.selectExpr(
            *map(quote_identifier, snapshot.columns), *(f"{value} AS {name}" for name, value in _POSITIONS.items())
        )
        found.schema  # noqa: B018  over Connect the server says here whether it knows them
    except AnalysisException:  # a catalog that restricts rows: no files
        return None
    return found


@contextmanager
def fix_file_blocks(spark: SparkSession, tasks: int) -> Iterator[None]:
    """A block in which the session cuts files for so many tasks, where it lets one say so."""
    before = read_setting(spark, _TASKS_SETTING)
    try_settings(spark, {_TASKS_SETTING: str(tasks)})
    try:
        yield
    finally:
        try_settings(spark, {_TASKS_SETTING: before})


def describe_file_blocks(spark: SparkSession, tasks: int) -> str:
    """What names how files are cut: equal texts cut them alike."""
    return f"rows {json_digest([tasks, *(read_setting(spark, name) for name in _BLOCK_SETTINGS)])[:16]}"


def is_row_plan(plan: str | None) -> bool:
    """Whether a stage's plan is one of `describe_file_blocks`."""
    return plan is not None and plan.startswith("rows ")
