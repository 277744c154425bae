"""Failures of Spark and Delta, translated into errors of the suite."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deltalake.exceptions import DeltaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    PublishConflict,
    SessionLost,
    SparkscoreError,
    TableNotFound,
    TemporaryError,
    VersionGone,
    is_disk_full,
)
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.java_throwables import is_from_python, names_python_exception, throwables_of
from sparkscore.spark.lost_session import is_session_lost, session_lost_error
from sparkscore.spark.py4j_errors import Py4JError, Py4JJavaError
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.storage_errors import find_refusal_error, find_silence_error, find_storage_error

_DENIED_PATTERN = re.compile(
    r"permission denied|access ?denied|AccessControlException|forbidden|not authorized|operation not permitted"
    r"|read-only file system|mkdirs failed|PERMISSION_DENIED|INSUFFICIENT_PERMISSIONS|unable to create directory"
    r"|DELTA_CANNOT_CREATE_LOG_PATH"
    r"|not a directory",
    re.IGNORECASE,
)
_ABSENT_PATTERN = re.compile(
    r"DELTA_MISSING_DELTA_TABLE|DELTA_TABLE_NOT_FOUND|DELTA_PATH_DOES_NOT_EXIST|TABLE_OR_VIEW_NOT_FOUND|PATH_NOT_FOUND"
    r"|is not a Delta table|DELTA_TABLE_ONLY_OPERATION|SCHEMA_NOT_FOUND|EXPECT_TABLE_NOT_VIEW"
    r"|REQUIRES_SINGLE_PART_NAMESPACE|CATALOG_NOT_FOUND|no such table|DELTA_MISSING_TRANSACTION_LOG"
    r"|DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION"
)
_DISK_FULL_PATTERN = re.compile(
    r"(no space left on device|disk quota exceeded)[\s)\]\"'.,;]*(\(os error \d+\))?\W*$", re.IGNORECASE | re.MULTILINE
)
"""At a line's end, where the system says it: in the middle of a path it is a folder's name."""
_GONE_PATTERN = re.compile(
    r"FAILED_READ_FILE\.FILE_NOT_EXIST|FileNotFoundException|DELTA_VERSION_NOT_FOUND|DELTA_NO_RECREATABLE_HISTORY_FOUND"
    r"|DELTA_TRUNCATED_TRANSACTION_LOG|DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION"
)
_CONFLICT_PATTERN = re.compile(
    r"DELTA_CONCURRENT|ConcurrentModificationException|Concurrent\w+Exception|ProtocolChangedException|MetadataChangedException"
)


def to_sparkscore_error(error: Exception, what: str) -> SparkscoreError | None:
    """The suite's own error for a failure of Spark or Delta while doing `what`; None if it is unknown.

    By classes, conditions and messages that quote no row. What Python code in a task has raised is not known here:
    its message is a model's, or quotes a row. Of the driver's own failures a full disk is known, and what a store says.
    """
    if is_session_lost(error):
        return session_lost_error(what)
    if isinstance(error, OSError | DeltaError):
        return _translate_own_failure(error, what)
    if not isinstance(error, PySparkException | Py4JJavaError) or is_from_python(error):
        return None
    found = throwables_of(error)
    if not found:
        text = str(error)
        return None if names_python_exception(text) else error_from_text(text, what)
    names = "\n".join(f"{throwable.kind} [{throwable.condition}]" for throwable in found)
    if _CONFLICT_PATTERN.search(names):
        return _conflict_error(what)
    return _classify_text(
        "\n".join(f"{throwable.kind}: [{throwable.condition}] {throwable.message}" for throwable in found), what
    )


def _translate_own_failure(error: OSError | DeltaError, what: str) -> SparkscoreError | None:
    if isinstance(error, OSError) and is_disk_full(error):
        return _disk_full_error(f"{what}, at {error.filename}" if error.filename else what)
    return find_storage_error(str(error), what)


def error_from_text(text: str, what: str) -> SparkscoreError | None:
    """The suite's own error for a message of a failure while doing `what`; None if the message is unknown."""
    return _conflict_error(what) if _CONFLICT_PATTERN.search(text) else _classify_text(text, what)


def _conflict_error(what: str) -> PublishConflict:
    return PublishConflict(
        f"another writer committed first while {what}", "no conflict", "run it again: it continues from the stage"
    )


def _disk_full_error(what: str) -> TemporaryError:
    return TemporaryError(f"no space left while {what}", "space for the files", "free space and run it again")


def _classify_text(text: str, what: str) -> SparkscoreError | None:
    if _DISK_FULL_PATTERN.search(text):
        return _disk_full_error(what)
    refused = find_refusal_error(text, what)
    if refused is not None:
        return refused
    if _DENIED_PATTERN.search(text):
        return AccessDenied(
            f"no access while {what}: {_matching_line(text, _DENIED_PATTERN)}",
            "permission to read and write there",
            "check the path and its owner",
        )
    if _GONE_PATTERN.search(text):
        return VersionGone(
            f"files or log of the pinned version are gone while {what}",
            "a version that was not vacuumed",
            "score a newer version: source.version, or --restart",
        )
    if _ABSENT_PATTERN.search(text):
        return TableNotFound(
            f"no Delta table while {what}",
            "a Delta table",
            "check the name; a plain name means a table under the home folder",
        )
    return find_silence_error(text, what)


def spark_end_error(spark: SparkSession, what: str, error: BaseException) -> SessionLost | None:
    """The error for any failure after Spark itself has ended (SIGTERM, a killed JVM or server); None while it runs.

    Whether a Connect server is there tells its own error: who asked it again would wait for minutes.

    Jobs:    none.
    """
    if is_session_lost(error):
        return session_lost_error(what)
    if is_connect_session(spark):
        return None
    try:
        if spark.sparkContext.defaultParallelism:  # raises where the context is stopped
            return None
    except (Py4JError, OSError):  # so it is, or nobody answers
        pass
    return session_lost_error(what)


@contextmanager
def translate_spark_errors(what: str) -> Iterator[None]:
    """Turn failures of Spark inside the block into the suite's own errors, which say what was being done."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        known = to_sparkscore_error(error, what)
        if known is not None:
            raise known from error
        raise


def _matching_line(text: str, pattern: re.Pattern[str]) -> str:
    """The line of the message that matched, cut short."""
    line = next((line for line in text.splitlines() if pattern.search(line)), text)
    return shorten_redacted(line.strip(), 200)


def refuse_unsafe_reads(conf: Mapping[str, str]) -> None:
    """Refuse session settings that would silently drop the rows of a damaged file.

    Raises:  ConfigError.
    """
    for name, value in conf.items():
        if value == "true":
            raise ConfigError(
                f"the session sets {name}=true",
                "false",
                "switch it off: a damaged file must fail the run, not shorten it",
            )
