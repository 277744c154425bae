"""Errors of a Spark Connect server, which come as texts."""

from typing import Any

import pytest
from pyspark.errors.exceptions.connect import AnalysisException, PythonException, SparkException

from sparkscore.errors import AccessDenied, PublishConflict, TableNotFound
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.java_throwables import is_from_python, server_throwables, throwables_of

CONFLICT = """org.apache.spark.SparkException
\tat org.apache.spark.sql.Foo.bar(Foo.scala:12)
Caused by: io.delta.exceptions.ConcurrentAppendException: [DELTA_CONCURRENT_APPEND] Files were added.
Please try again.
\tat org.apache.spark.sql.delta.Checker.check(Checker.scala:1)
"""
QUOTING = """org.apache.spark.SparkException
\tat org.apache.spark.sql.Foo.bar(Foo.scala:12)
Caused by: java.lang.NumberFormatException: For input string: "permission denied"
\tat java.lang.Long.parseLong(Long.java:1)
"""


def raise_by_server(kind: type[Any], message: str, trace: str | None = None, condition: str | None = None) -> Exception:
    error: Exception = kind(message, errorClass=condition, messageParameters={}, server_stacktrace=trace)
    return error


def test_causes_are_read_from_the_trace_with_their_conditions() -> None:
    found = server_throwables(raise_by_server(SparkException, "Job aborted.", CONFLICT))
    assert [one.kind for one in found] == [
        "org.apache.spark.SparkException",
        "io.delta.exceptions.ConcurrentAppendException",
    ]
    assert found[1].condition == "DELTA_CONCURRENT_APPEND"
    assert found[1].message.endswith("Files were added.\nPlease try again.")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (raise_by_server(SparkException, "Job aborted.", CONFLICT), PublishConflict),
        (
            raise_by_server(AnalysisException, "[PATH_NOT_FOUND] no. SQLSTATE: 42K03", None, "PATH_NOT_FOUND"),
            TableNotFound,
        ),
        (raise_by_server(SparkException, "x.AccessControlException: Permission denied: user=me"), AccessDenied),
    ],
)
def test_a_known_failure_is_the_suites_own_error(error: Exception, kind: type[Exception]) -> None:
    assert isinstance(to_sparkscore_error(error, "publishing"), kind)


def test_a_message_that_quotes_a_value_decides_nothing() -> None:
    error = raise_by_server(SparkException, "Job aborted due to stage failure: permission denied", QUOTING)
    assert all(not one.message for one in throwables_of(error))
    assert to_sparkscore_error(error, "reading") is None


def test_what_python_code_has_raised_is_not_translated() -> None:
    error = PythonException("An exception was thrown from the Python worker.\nPermissionError: permission denied")
    assert is_from_python(error)
    assert to_sparkscore_error(error, "scoring") is None
