"""The two ways to a table's log, and the choice between them."""

from collections.abc import Callable
from typing import TypeVar

from pyspark.sql import SparkSession

from sparkscore.errors import SparkNeeded
from sparkscore.records import TableRef
from sparkscore.store.log_metadata import LogMetadata
from sparkscore.store.spark_table_log import SparkTableLog
from sparkscore.store.table_location import DIRECT_ERRORS, locate_table
from sparkscore.store.table_log import TableLog

_Answer = TypeVar("_Answer")


class LogAccess:
    """A table's log as one session reaches it: by deltalake where that says what Spark says, else by Spark.

    Kept until `refresh`: what the log says of the table itself, and that only Spark reads it.
    """

    def __init__(self, session: SparkSession | None, ref: TableRef, log: TableLog | None = None) -> None:
        self.session, self.ref, self._log = session, ref, log
        self.refresh()

    def refresh(self) -> None:
        """Forget what is kept."""
        self._spark_log: SparkTableLog | None = None
        self._metadata: LogMetadata | None = None
        self._is_unsure = False
        if self.ref.path is None:  # the catalog may have another table of this name by now
            self._log = None

    def in_session(self, spark: SparkSession) -> "LogAccess":
        """The access of another session. What has no session may know less of where the table lies: not shared."""
        return LogAccess(spark, self.ref, None if self.session is None else self._log)

    @property
    def spark(self) -> SparkSession:
        """The session.

        Raises:  SparkNeeded where there is none.
        """
        if self.session is None:
            raise SparkNeeded(self.ref.name)
        return self.session

    @property
    def by_spark(self) -> SparkTableLog:
        """The log as Spark reads it.

        Raises:  SparkNeeded.
        """
        if self._spark_log is None:
            self._spark_log = SparkTableLog(self.spark, self.ref)
        return self._spark_log

    @property
    def log(self) -> TableLog:
        """The log as deltalake reads it.

        Raises:  ScanUnsupported.
        """
        if self._log is None:
            self._log = TableLog(locate_table(self.session, self.ref))
        return self._log

    def ask(self, question: Callable[[TableLog], _Answer]) -> _Answer | None:
        """What deltalake finds in the log; None where only Spark is certain to know: also where a service orders the
        commits, whose newest one the log's folder may lack for a while.

        Raises:  TableNotFound.
        """
        if self._is_unsure:
            return None
        try:
            return None if self.log.location.is_coordinated else question(self.log)
        except DIRECT_ERRORS:  # where Spark fails, too, its own error tells why
            self._is_unsure = self._log is None or not self._log.is_open
            return None

    def keep_metadata(self) -> LogMetadata | None:
        """What the log said of the table when it was first asked; None where only Spark tells.

        Raises:  TableNotFound.
        """
        if self._metadata is None:
            self._metadata = self.ask(TableLog.load_metadata)
        return self._metadata
