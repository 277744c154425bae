"""The only place that makes a Spark session."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.errors import PySparkRuntimeError
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from sparkscore.errors import UnsupportedSession
from sparkscore.spark.connect_session import is_connect_wanted, open_connect_session
from sparkscore.spark.delta_jars import choose_delta_conf
from sparkscore.spark.lost_session import session_lost_error
from sparkscore.spark.outside_conf import has_outside_conf, has_outside_options
from sparkscore.spark.py4j_errors import Py4JError, Py4JJavaError

LOCAL_MASTER = "local[*,4]"
"""One machine, tasks attempted up to four times."""

_PREPARED = "SPARK_SUBMIT_PREPARED"
"""Set by spark-submit.sh where it has left what Spark is to be started with in PYSPARK_SUBMIT_ARGS."""

_STATIC_CONF: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Workers over Unix sockets: 7 to 9 ms a task instead of 27, over TCP on loopback (no-op tasks, 2 slots)
    "spark.python.unix.domain.socket.enabled": "true",
    # Else PySpark tells the JVM for each column that it makes which line of Python made it: six more calls for each
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}
_LOCAL_CONF: Mapping[str, str] = {
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def get_job_session(app_name: str) -> SparkSession:
    """The session of a job: the one that spark-submit or the platform prepared, else a local one.

    Raises:  UnsupportedSession without Java; TemporaryError where a Connect server does not answer, or the JVM ends
             while it starts.
    """
    if is_connect_wanted():
        return open_connect_session()
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ or _PREPARED in os.environ
    if is_submitted or "DATABRICKS_RUNTIME_VERSION" in os.environ or SparkSession.getActiveSession() is not None:
        builder = SparkSession.builder.appName(app_name)
        for name, value in _STATIC_CONF.items():
            builder = builder.config(name, value)
        return _start_session(builder)
    return start_local_session(app_name, master=LOCAL_MASTER)


def can_begin_without_session() -> bool:
    """Whether a job may look first at what it can tell without Spark: no session is there, and its own would be a
    local one, of which nobody else says how it reaches storage."""
    given = (name in os.environ for name in ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION"))
    if is_connect_wanted() or any(given):
        return False
    context = getattr(sys.modules["pyspark"], "SparkContext", None)  # pyspark-client has none
    if context is None:
        return False
    is_running = context._active_spark_context is not None  # noqa: SLF001  no public way that starts none
    return not is_running and not has_outside_conf() and (_PREPARED in os.environ or not has_outside_options())


def start_local_session(app_name: str, *, master: str) -> SparkSession:
    """A session on this machine, with Delta's jars: those that Spark has resolved before, else it resolves them.

    Raises:  UnsupportedSession without Java; SessionLost where the JVM ends while it starts.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name).master(master)
    for name, value in {**_LOCAL_CONF, **choose_delta_conf(), **_STATIC_CONF}.items():
        builder = builder.config(name, value)
    return _start_session(builder)


def choose_server_conf() -> dict[str, str]:
    """What a server of Spark Connect on this machine is to be started with, for tests and benchmarks of its clients."""
    return {**_LOCAL_CONF, **choose_delta_conf(), **_STATIC_CONF}


def _start_session(builder: SparkSession.Builder) -> SparkSession:
    # Ten kilobytes of JVM stack per error, as JSON on stderr; the error itself is raised all the same.
    PySparkLogger.getLogger("DataFrameQueryContextLogger").disabled = True
    try:
        with _keep_stdout():
            return builder.getOrCreate()
    except Py4JJavaError:
        raise
    except (Py4JError, ConnectionError) as error:  # the JVM has ended meanwhile: by a signal, or for want of memory
        raise session_lost_error("it was starting") from error
    except PySparkRuntimeError as error:
        if "JAVA_GATEWAY_EXITED" not in str(error):
            raise
        raise UnsupportedSession(
            "Spark's JVM did not start",
            "Java 17 or newer",
            "apt-get install openjdk-17-jre-headless, or set JAVA_HOME; the lines above say what it found",
        ) from error


@contextmanager
def _keep_stdout() -> Iterator[None]:
    """A block in which a new process gets this one's stderr as its stdout, too.

    What the JVM or a library in it prints is not the result of a job, which alone goes to stdout.
    """
    try:
        kept = os.dup(1)
    except OSError:  # closed by the caller
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
