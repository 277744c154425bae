"""Sessions of Spark Connect: where one is wanted, and the session itself."""

import os
from typing import Any

from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession
from pyspark.util import is_remote_only

from sparkscore.errors import TemporaryError, UnsupportedSession
from sparkscore.spark.session_kind import close_at_exit

_ADDRESS = "SPARK_REMOTE"
_MODE = "SPARK_CONNECT_MODE_ENABLED"
"""Set by PySpark where the process has a session of Connect."""
_ANSWER_S = 60.0
"""A server that takes connections takes milliseconds; Spark's client itself tries for ten minutes."""


def is_connect_wanted() -> bool:
    """Whether the session of this process is one of Connect: by its address, because there is one, or because the
    installed PySpark has no other."""
    return _ADDRESS in os.environ or _MODE in os.environ or is_remote_only()


def open_connect_session() -> SparkSession:
    """The session of Connect that is there, else one at the address in SPARK_REMOTE.

    Its settings are the server's: what a classic session is started with means nothing to a server that runs.

    Raises:  UnsupportedSession without an address, or without what Connect needs of Python; TemporaryError where
             nobody answers at the address.
    """
    PySparkLogger.getLogger("DataFrameQueryContextLogger").disabled = True  # errors as JSON on stderr, once more
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    if is_remote_only() and _ADDRESS not in os.environ:
        raise UnsupportedSession(
            "pyspark-client without the address of a Spark Connect server",
            "SPARK_REMOTE",
            "export SPARK_REMOTE=sc://host:15002, or install pyspark, which can start Spark itself",
        )
    try:
        spark = SparkSession.builder.getOrCreate()
    except ImportError as error:
        raise UnsupportedSession(
            f"Spark Connect without {error.name or error}",
            "the packages that Spark Connect needs",
            "pip install 'sparkscore[connect]'",
        ) from error
    close_at_exit(spark.client)
    await_server(spark.client)
    return spark


def await_server(client: Any) -> None:
    """Wait until the server takes connections.

    Raises:  TemporaryError where it does not.
    """
    import grpc

    try:
        grpc.channel_ready_future(client._channel).result(timeout=_ANSWER_S)  # noqa: SLF001  the client has no other
    except grpc.FutureTimeoutError as error:
        raise TemporaryError(
            f"no Spark Connect server answers at {client.host}",
            "a server that answers",
            "check SPARK_REMOTE, start the server, and run it again",
        ) from error
