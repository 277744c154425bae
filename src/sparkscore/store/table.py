"""A Delta table as one session sees it. Whatever a run reads of a table, or asks of its log, goes through here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.records import TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import parse_table_ref, quote_table, sibling_table, sql_name


class Table:
    """A Delta table: where it is, what its metadata says, its history and its rows.

    The log is opened at the first question, and once. Kept from then on: that the table exists, its id, partition
    columns, properties and schema. Asked anew each time: versions, history and rows, which other writers change.

    `refresh` forgets what is kept. Who decides by it after other writers had time for a change refreshes first: the
    check before a publication does, each try of a MERGE and of a change of properties too. An absent table is looked
    for each time.
    """

    def __init__(self, spark: SparkSession, ref: TableRef) -> None:
        self.spark, self.ref = spark, ref
        self._siblings: dict[str, Table] = {}
        self.refresh()

    @classmethod
    def from_name(cls, spark: SparkSession, name: str, *, home: str) -> "Table":
        """The table that a name means: by the grammar of `parse_table_ref`.

        Raises:  NameRefused.
        """
        return cls(spark, parse_table_ref(name, home=home))

    def __repr__(self) -> str:
        return f"Table({self.ref.path or self.ref.name})"

    @property
    def name(self) -> str:
        """As people write it."""
        return self.ref.name

    @property
    def path(self) -> str | None:
        """Where it lies; None for a catalog's table."""
        return self.ref.path

    @property
    def sql_name(self) -> str:
        """As SQL names it, quoted."""
        return sql_name(self.ref)

    def sibling(self, suffix: str) -> "Table":
        """The table next to this one: `flights` and `_runs` give `flights_runs`. The same object each time."""
        return self._siblings.setdefault(suffix, Table(self.spark, sibling_table(self.ref, suffix)))

    def in_session(self, spark: SparkSession) -> "Table":
        """The table as another session sees it, with nothing kept."""
        return Table(spark, self.ref)

    def refresh(self) -> "Table":
        """The table itself, with nothing kept of what its log said."""
        self._handle: DeltaTable | None = None
        self._detail: Row | None = None
        self._properties: Mapping[str, str] | None = None
        self._schema: StructType | None = None
        return self

    @property
    def handle(self) -> DeltaTable:
        """Delta's own handle, opened once.

        Raises:  TableNotFound, AccessDenied.
        """
        if self._handle is None:
            self._handle = self._open_by_name() if self.path is None else self._open_by_path(self.path)
        return self._handle

    def exists(self) -> bool:
        """Whether there is a Delta table; an absent one is looked for each time."""
        try:
            return self.handle is not None
        except TableNotFound:
            return False

    @property
    def id(self) -> str:
        """Delta's id: a table made anew under the same name has another one.

        Raises:  TableNotFound, AccessDenied.
        """
        return str(self._load_detail()["id"])

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns whose values appear in the paths of the table's files.

        Raises:  TableNotFound, AccessDenied.
        """
        return tuple(self._load_detail()["partitionColumns"])

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties, from the metadata alone: DESCRIBE DETAIL would compute the whole state after a commit.

        Raises:  TableNotFound, AccessDenied.
        """
        if self._properties is None:
            self.handle  # noqa: B018  SHOW TBLPROPERTIES also answers for what is no Delta table
            with translate_spark_errors(f"reading the properties of {self.name}"):
                rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.sql_name}").collect()
            self._properties = {row["key"]: row["value"] for row in rows}
        return self._properties

    @property
    def schema(self) -> StructType:
        """The columns and their types.

        Raises:  TableNotFound, AccessDenied.
        """
        if self._schema is None:
            with translate_spark_errors(f"reading the schema of {self.name}"):
                self._schema = self.handle.toDF().schema
        return self._schema

    def load_newest_version(self) -> int:
        """The newest version; asked each time.

        Raises:  TableNotFound, AccessDenied.
        """
        return int(self._collect_history(self.handle.history(1))[0]["version"])

    def find_version_at(self, moment: datetime) -> int:
        """The newest version that was committed at or before a moment; asked each time.

        Raises:  ConfigError when the table is younger, TableNotFound.
        """
        until = F.col("timestamp") <= F.lit(moment.astimezone(UTC))
        newest = self._collect_history(self.handle.history().where(until).agg(F.max("version")))[0][0]
        if newest is None:
            raise ConfigError(
                f"{self.name} had no version at {moment.isoformat()}",
                "a table that is older than as_of",
                "use source.version: latest",
            )
        return int(newest)

    def find_commit_time(self, version: int) -> datetime | None:
        """When a version was committed; None if the table's history no longer holds it.

        Raises:  TableNotFound, AccessDenied.
        """
        rows = self._collect_history(
            self.handle.history().where(F.col("version") == F.lit(version)).select("timestamp")
        )
        return rows[0][0].astimezone(UTC) if rows else None

    def load_user_metadata(self) -> list[tuple[int, str | None]]:
        """Version and `userMetadata` of every commit, oldest first; asked each time.

        Jobs:    one Spark job over the log.
        Raises:  TableNotFound, AccessDenied.
        """
        commits = self._collect_history(self.handle.history().select("version", "userMetadata"))
        return [(int(commit["version"]), commit["userMetadata"]) for commit in reversed(commits)]

    def load_rows(self, version: int | None = None) -> DataFrame:
        """The rows, pinned to an integer version, or as they are when the frame is made.

        Raises:  TableNotFound, ConfigError for a version that is gone.
        """
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        if self.path is None:
            self.handle  # noqa: B018  a catalog's reader takes what is no Delta table, too
        try:
            with translate_spark_errors(f"reading {self.name} at version {version}"):
                return reader.table(quote_table(self.ref)) if self.path is None else reader.load(self.path)
        except Exception:
            self.refresh().handle  # noqa: B018  says so where the table is absent: the reader misses the version
            raise

    def _open_by_name(self) -> DeltaTable:
        with translate_spark_errors(f"opening {self.name}"):
            return DeltaTable.forName(self.spark, quote_table(self.ref))

    def _open_by_path(self, path: str) -> DeltaTable:
        try:
            with translate_spark_errors(f"opening {self.name}"):
                # isDeltaTable would do for "is it there", but goes on saying no to a folder whose log was empty when it
                # was first asked: that of a stage whose first commit failed, and was made later without Spark
                return DeltaTable.forPath(self.spark, path)
        except TableNotFound as error:
            raise TableNotFound(
                f"no Delta table at {path}",
                "a folder with a _delta_log",
                "check the name; a plain name means a table under the home folder",
            ) from error

    def _load_detail(self) -> Row:
        if self._detail is None:
            with translate_spark_errors(f"reading the log of {self.name}"):
                self._detail = self.handle.detail().collect()[0]
        return self._detail

    def _collect_history(self, history: DataFrame) -> list[Any]:
        with translate_spark_errors(f"reading the history of {self.name}"):
            return history.collect()
