"""What the log of a table says, asked of Spark: for tables of a catalog, and for storage that only Spark reaches."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.errors import TableNotFound
from sparkscore.records import TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.delta_handle import open_delta_handle
from sparkscore.store.table_in_sql import sql_name_in_session
from sparkscore.store.table_log import absent_table_error

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SparkTableLog:
    """A table's log as one session reads it; what is said of the table itself is kept.

    Jobs:    small ones of Delta over the log.
    Raises:  TableNotFound, AccessDenied.
    """

    def __init__(self, spark: SparkSession, ref: TableRef) -> None:
        self.spark, self.ref = spark, ref

    @cached_property
    def handle(self) -> Any:
        """Delta's own handle, opened once; over Connect one of the same methods."""
        return self._open_by_name() if self.ref.path is None else self._open_by_path(self.ref.path)

    @property
    def id(self) -> str:
        """Delta's id of the table."""
        return str(self._detail["id"])

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns whose values appear in the paths of the table's files."""
        return tuple(self._detail["partitionColumns"])

    @cached_property
    def properties(self) -> Mapping[str, str]:
        """The properties, from the metadata alone: DESCRIBE DETAIL would compute the whole state after a commit."""
        self.handle  # noqa: B018  SHOW TBLPROPERTIES also answers for what is no Delta table
        with translate_spark_errors(f"reading the properties of {self.ref.name}"):
            rows = self.spark.sql(f"SHOW TBLPROPERTIES {sql_name_in_session(self.spark, self.ref)}").collect()
        return {row["key"]: row["value"] for row in rows}

    @cached_property
    def schema(self) -> StructType:
        """The columns and their types."""
        with translate_spark_errors(f"reading the schema of {self.ref.name}"):
            schema: StructType = self.handle.toDF().schema
        return schema

    def load_newest_version(self) -> int:
        """The newest version."""
        return int(self._collect_history(self.handle.history(1))[0]["version"])

    def list_user_metadata(self) -> list[tuple[int, str | None]]:
        """Version and `userMetadata` of each commit, newest first."""
        commits = self._collect_history(self.handle.history().select("version", "userMetadata"))
        return [(int(commit["version"]), commit["userMetadata"]) for commit in commits]

    def list_commit_times(self) -> list[tuple[int, datetime]]:
        """When each commit was made, oldest first."""
        history = self.handle.history().select("version", F.unix_micros("timestamp").alias("at"))
        commits = reversed(self._collect_history(history))
        return [(int(commit["version"]), _EPOCH + timedelta(microseconds=commit["at"])) for commit in commits]

    @cached_property
    def _detail(self) -> Row:
        with translate_spark_errors(f"reading the log of {self.ref.name}"):
            detail: Row = self.handle.detail().collect()[0]
        return detail

    def _open_by_name(self) -> Any:
        with translate_spark_errors(f"opening {self.ref.name}"):
            return open_delta_handle(self.spark, self.ref)

    def _open_by_path(self, path: str) -> Any:
        try:
            with translate_spark_errors(f"opening {self.ref.name}"):
                return open_delta_handle(self.spark, self.ref)
        except TableNotFound as error:
            raise absent_table_error(path) from error

    def _collect_history(self, history: DataFrame) -> list[Any]:
        with translate_spark_errors(f"reading the history of {self.ref.name}"):
            return history.collect()
