"""Failures of Spark and Delta become the suite's own errors."""

import pytest
from pyspark.errors import AnalysisException, PySparkException

from sparkscore.errors import (
    AccessDenied,
    PublishConflict,
    SparkscoreError,
    TableNotFound,
    TemporaryError,
    VersionGone,
)
from sparkscore.store.failures import border, translated


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[DELTA_CONCURRENT_APPEND] Files were added", PublishConflict),
        ("java.io.IOException: No space left on device", TemporaryError),
        ("org.apache.hadoop.security.AccessControlException: Permission denied: user=me", AccessDenied),
        ("java.io.IOException: Mkdirs failed to create file:/x", AccessDenied),
        ("[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file", VersionGone),
        ("[DELTA_VERSION_NOT_FOUND] Cannot time travel", VersionGone),
        ("[DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION] Cannot time travel", VersionGone),
        ("[DELTA_TABLE_NOT_FOUND] Delta table `x` doesn't exist", TableNotFound),
    ],
)
def test_a_known_failure_has_its_class_and_tells_what_was_being_done(text: str, kind: type[SparkscoreError]) -> None:
    error = translated(PySparkException(text), "writing t")
    assert type(error) is kind
    assert "writing t" in error.found


@pytest.mark.parametrize(
    "error",
    [
        PySparkException("something else"),
        KeyError("No space left on device"),
        PySparkException("org.apache.spark.api.python.PythonException: permission denied"),
    ],
)
def test_an_unknown_failure_stays_what_it_is(error: Exception) -> None:
    assert translated(error, "x") is None


def test_the_border_translates_and_keeps_the_cause() -> None:
    cause = AnalysisException("[PATH_NOT_FOUND] Path does not exist")
    with pytest.raises(TableNotFound) as caught, border("reading t"):
        raise cause
    assert caught.value.__cause__ is cause


def test_the_border_lets_others_through() -> None:
    with pytest.raises(PySparkException, match="something else"), border("reading t"):
        raise PySparkException("something else")
