"""Errors that say that Spark is gone, and those that do not."""

from importlib import import_module
from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark.errors import AnalysisException, PySparkAssertionError
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import SparkSession

from sparkscore.errors import PublishConflict, SessionLost
from sparkscore.spark.error_translation import spark_end_error, to_sparkscore_error
from sparkscore.spark.lost_session import is_session_lost, session_lost_error

grpc: Any = import_module("grpc")


def said_by_a_server(condition: str) -> Exception:
    return SparkConnectGrpcException(f"[{condition}] said", errorClass=condition)


def nobody_answers() -> Exception:
    """What PySpark's client passes on as it is where it ships files."""
    with grpc.insecure_channel("127.0.0.1:1") as channel:
        try:
            channel.unary_unary("/nobody")(b"", timeout=30)
        except grpc.RpcError as error:
            found: Exception = error
            return found
    raise AssertionError("somebody answers")


LOST = {
    "files that no server takes": nobody_answers(),
    "a JVM that does not answer": Py4JNetworkError("Answer from Java side is empty"),
    "a server that does not answer": SparkConnectGrpcException("down", grpc_status_code=grpc.StatusCode.UNAVAILABLE),
    "a server that was started anew": said_by_a_server("INVALID_HANDLE.SESSION_CHANGED"),
    "a session that the server closed": said_by_a_server("INVALID_HANDLE.SESSION_CLOSED"),
    "a session that it never had": said_by_a_server("INVALID_HANDLE.SESSION_NOT_FOUND"),
    "another server under the same address": PySparkAssertionError(
        "Received incorrect server side session identifier for request. Please create a new Spark Session (a != b)"
    ),
    "what was made of one of these": session_lost_error("publishing"),
}
OTHERS = {
    "a refused setting": AnalysisException("[CONFIG_NOT_AVAILABLE] Configuration x is not available"),
    "an operation that the server forgot": said_by_a_server("INVALID_HANDLE.OPERATION_NOT_FOUND"),
    "a conflict": PublishConflict("another writer"),
    "a file": ConnectionRefusedError("of whatever server"),
}


@pytest.mark.parametrize("error", LOST.values(), ids=LOST)
def test_it_is_gone(error: Exception, spark: SparkSession) -> None:
    assert is_session_lost(error)
    found = to_sparkscore_error(error, "publishing")
    assert isinstance(found, SessionLost)
    assert found.exit_code == 75
    assert "Spark ended while publishing" in str(found)
    assert "run the same command again" in str(found)
    assert spark_end_error(spark, "publishing", error) is not None


@pytest.mark.parametrize("error", OTHERS.values(), ids=OTHERS)
def test_it_is_still_there(error: Exception, spark: SparkSession) -> None:
    assert not is_session_lost(error)
    assert spark_end_error(spark, "publishing", error) is None
