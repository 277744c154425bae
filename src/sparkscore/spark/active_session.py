"""The active session of the caller's thread stays the one that it was: code that asks for it, as MLflow's does, would
otherwise get one of the suite's own, in which Delta may even skip a commit."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkscore.spark.session_kind import is_connect_session


def create_frame(spark: SparkSession, data: Any, schema: Any = None) -> DataFrame:
    """A frame of rows of the driver, as `SparkSession.createDataFrame` makes it; that makes its session the active one.

    Jobs:    none.
    """
    with restore_active_session(spark):
        return spark.createDataFrame(data) if schema is None else spark.createDataFrame(data, schema)


@contextmanager
def activate_session(spark: SparkSession) -> Iterator[None]:
    """This session is the active one of the JVM inside the block: Delta reads a commit's note from it. Over Connect it
    reads that from the session that asks."""
    with restore_active_session(spark):
        if not is_connect_session(spark):
            _jvm_sessions(spark).setActiveSession(spark._jsparkSession)  # noqa: SLF001
        yield


@contextmanager
def restore_active_session(spark: SparkSession) -> Iterator[None]:
    """Whichever session was active before the block is so after it, for Python and in the JVM."""
    if is_connect_session(spark):
        yield
        return
    sessions, in_python = _jvm_sessions(spark), SparkSession._activeSession  # noqa: SLF001
    before = sessions.getActiveSession()
    try:
        yield
    finally:
        SparkSession._activeSession = in_python  # noqa: SLF001
        with suppress(Exception):
            if before.isDefined():
                sessions.setActiveSession(before.get())
            else:
                sessions.clearActiveSession()


def _jvm_sessions(spark: Any) -> Any:
    return spark._jvm.org.apache.spark.sql.classic.SparkSession  # noqa: SLF001
