"""A Delta table as one session sees it. Whatever a run reads of a table, or asks of its log, goes through here."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.records import TableLocation, TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import parse_table_ref, quote_table, sibling_table
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.store.log_access import LogAccess
from sparkscore.store.log_metadata import LogMetadata
from sparkscore.store.table_in_sql import sql_name_in_session
from sparkscore.store.table_log import TableLog

_Answer = TypeVar("_Answer")


class Table:
    """A Delta table: where it is, what its metadata says, its history and its rows.

    The log is opened at the first question, and once: by deltalake where that is certain to say what Spark says, else
    by Spark. Kept from then on: that the table exists, its id, partition columns, properties and schema. Asked anew
    each time: versions, history and rows, which other writers change.

    `refresh` forgets what is kept. Who decides by it after other writers had time for a change refreshes first: the
    check before a publication does, each try of a MERGE and of a change of properties too. An absent table is looked
    for each time.

    Without a session it answers what its log says, and raises SparkNeeded for everything else.
    """

    def __init__(self, spark: SparkSession | None, ref: TableRef) -> None:
        self.ref, self._access = ref, LogAccess(spark, ref)
        self._siblings: dict[str, Table] = {}

    @classmethod
    def from_name(cls, spark: SparkSession | None, name: str, *, home: str) -> "Table":
        """The table that a name means: by the grammar of `parse_table_ref`.

        Raises:  NameRefused.
        """
        return cls(spark, parse_table_ref(name, home=home))

    def __repr__(self) -> str:
        return f"Table({self.ref.path or self.ref.name})"

    @property
    def spark(self) -> SparkSession:
        """The session.

        Raises:  SparkNeeded where there is none.
        """
        return self._access.spark

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
        """As SQL names it, quoted.

        Raises:  ConfigError for `${` in a path, where the session would put a setting in its place.
        """
        return sql_name_in_session(self.spark, self.ref)

    @property
    def location(self) -> TableLocation:
        """Where others than Spark reach it.

        Raises:  ScanUnsupported.
        """
        return self._access.log.location

    @property
    def log(self) -> TableLog:
        """Its log, as deltalake reads it: one object, also for the table in other sessions.

        Raises:  ScanUnsupported; what it is asked raises more.
        """
        return self._access.log

    @property
    def handle(self) -> Any:
        """Delta's own handle, opened once; over Connect one of the same methods.

        Raises:  TableNotFound, AccessDenied.
        """
        return self._access.by_spark.handle

    def sibling(self, suffix: str) -> "Table":
        """The table next to this one: `flights` and `_runs` give `flights_runs`. The same object each time."""
        return self._siblings.setdefault(suffix, Table(self._access.session, sibling_table(self.ref, suffix)))

    def in_session(self, spark: SparkSession) -> "Table":
        """The table as another session sees it, with nothing kept."""
        table = Table(spark, self.ref)
        table._access = self._access.in_session(spark)
        return table

    def refresh(self) -> "Table":
        """The table itself, with nothing kept of what its log said."""
        self._access.refresh()
        return self

    def ask_log(self, question: Callable[[TableLog], _Answer]) -> _Answer | None:
        """What deltalake finds in the log; None where only Spark is certain to know.

        Raises:  TableNotFound.
        """
        return self._access.ask(question)

    def exists(self) -> bool:
        """Whether there is a Delta table; an absent one is looked for each time."""
        try:
            return (self._access.keep_metadata() or self.handle) is not None
        except TableNotFound:
            return False

    @property
    def id(self) -> str:
        """Delta's id: a table made anew under the same name has another one.

        Raises:  TableNotFound, AccessDenied.
        """
        return (self._access.keep_metadata() or self._access.by_spark).id

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns whose values appear in the paths of the table's files.

        Raises:  TableNotFound, AccessDenied.
        """
        return (self._access.keep_metadata() or self._access.by_spark).partition_columns

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties, those of the protocol too.

        Raises:  TableNotFound, AccessDenied.
        """
        return (self._access.keep_metadata() or self._access.by_spark).properties

    @property
    def schema(self) -> StructType:
        """The columns and their types.

        Raises:  TableNotFound, AccessDenied.
        """
        found = _parse_schema(self._access.keep_metadata())
        return self._access.by_spark.schema if found is None else found

    def load_schema(self, version: int) -> StructType:
        """The columns and their types at a version.

        Raises:  TableNotFound, ConfigError for a version that is gone.
        """
        newest = self.ask_log(TableLog.load_metadata)
        found = _parse_schema(newest) if newest is not None and newest.version == version else None
        # only Spark knows which older versions it still reads
        return self.load_rows(version).schema if found is None else found

    def load_newest_version(self) -> int:
        """The newest version; asked each time.

        Raises:  TableNotFound, AccessDenied.
        """
        found = self.ask_log(TableLog.load_newest_version)
        return self._access.by_spark.load_newest_version() if found is None else found

    def find_version_at(self, moment: datetime) -> int:
        """The newest version that was committed at or before a moment; asked each time.

        Raises:  ConfigError when the table is younger, TableNotFound.
        """
        until = moment.astimezone(UTC)
        versions = [version for version, at in self._list_commit_times() if at <= until]
        if not versions:
            raise ConfigError(
                f"{self.name} had no version at {moment.isoformat()}",
                "a table that is older than as_of",
                "use source.version: latest",
            )
        return max(versions)

    def find_versions_at(self, moments: Iterable[datetime]) -> Mapping[datetime, int | None]:
        """The newest version that was committed at or before each moment; None where no known one is as old.

        Raises:  TableNotFound, AccessDenied.
        """
        commits = self._list_commit_times()
        # the earliest time of each commit and of all after it: ascending, and the last one until a moment is the newest
        times = list(accumulate((at for _, at in reversed(commits)), min))[::-1]
        places = {one: bisect_right(times, one) for one in moments}
        return {one: commits[place - 1][0] if place else None for one, place in places.items()}

    def find_commit_time(self, version: int) -> datetime | None:
        """When a version was committed; None if the table's history no longer holds it.

        Raises:  TableNotFound, AccessDenied.
        """
        return dict(self._list_commit_times()).get(version)

    def load_user_metadata(self) -> list[tuple[int, str | None]]:
        """Version and `userMetadata` of every commit, oldest first; new commits are looked for each time.

        Raises:  TableNotFound, AccessDenied.
        """
        found = self.ask_log(lambda log: list(log.iterate_user_metadata()))
        return (self._access.by_spark.list_user_metadata() if found is None else found)[::-1]

    def find_commit(self, matches: Callable[[str], bool]) -> tuple[int, str] | None:
        """Version and `userMetadata` of the newest commit whose `userMetadata` matches; asked each time.

        Raises:  TableNotFound, AccessDenied.
        """

        def search(commits: Iterable[tuple[int, str | None]]) -> tuple[tuple[int, str] | None]:
            return (next(((version, text) for version, text in commits if text and matches(text)), None),)

        found = self.ask_log(lambda log: search(log.iterate_user_metadata()))
        return (search(self._access.by_spark.list_user_metadata()) if found is None else found)[0]

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
                rows = reader.table(quote_table(self.ref)) if self.path is None else reader.load(self.path)
                if is_connect_session(self.spark):
                    rows.schema  # noqa: B018  else a version that is gone is missed when somebody reads the rows
                return rows
        except Exception:
            self.refresh().handle  # noqa: B018  says so where the table is absent: the reader misses the version
            raise

    def _list_commit_times(self) -> list[tuple[int, datetime]]:
        found = self.ask_log(TableLog.list_commit_times)
        return self._access.by_spark.list_commit_times() if found is None else found


def _parse_schema(metadata: LogMetadata | None) -> StructType | None:
    found = None if metadata is None else metadata.schema
    return None if found is None else StructType.fromJson(json.loads(found))
