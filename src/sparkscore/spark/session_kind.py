"""What kind of session it is, and what it can do: a classic one, with a JVM beside it, or one of Spark Connect.

Whoever needs the JVM, the SparkContext, or files of the machine asks here first.
"""

import atexit
import os
import re
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

_RANGE_SPLITS = re.compile(r"splits=(?:Some\()?(\d+)")


@dataclass(slots=True)
class _ServerFacts:
    """What a Connect server has said so far; the same for all sessions that were made from one."""

    task_slots: int | None = None
    shares_files: bool | None = None


_SERVER_FACTS: WeakKeyDictionary[SparkSession, _ServerFacts] = WeakKeyDictionary()
_GONE_SERVERS: set[str] = set()
"""Hosts that did not answer when this process ended: nobody waits for them again."""
_GOODBYE_S = 1.0


def is_connect_session(spark: object) -> bool:
    """Whether it is a session of Spark Connect: no JVM, no SparkContext, no RDDs, no accumulators."""
    return ".connect." in type(spark).__module__


def open_new_session(spark: SparkSession, *, with_files: bool = False) -> SparkSession:
    """Another session of the same Spark: a setting of one is none of the other.

    Over Connect files belong to a session, those that its Python workers need. `with_files`: the new one has those of
    the first one, and begins with its settings, where the server can copy a session.

    Jobs:    none.
    """
    if not is_connect_session(spark):
        return spark.newSession()
    own = _copy_connect_session(spark) if with_files else _begin_connect_session(spark)
    _SERVER_FACTS[own] = _facts_of(spark)
    close_at_exit(own.client)
    return own


def _copy_connect_session(spark: Any) -> SparkSession:
    from grpc import RpcError

    with suppress(RpcError, PySparkException, AttributeError):  # a server, or a client, before 4.1
        spark.version  # noqa: B018  a server begins a session with its first question, and copies none before
        copied: SparkSession = spark.cloneSession()
        return copied
    return _begin_connect_session(spark)


def _begin_connect_session(spark: Any) -> SparkSession:
    begun: SparkSession = type(spark)(connection=spark.client._builder)  # noqa: SLF001  no public way to its address
    return begun


def close_at_exit(client: Any) -> None:
    """Let the process end the session of a Connect client that was made here, and its channel, before PySpark does.

    PySpark's client asks a server that is gone for ten minutes, and gRPC's channels never close in an interpreter that
    is being torn down.
    """
    atexit.register(end_client, client)


def end_client(client: Any) -> None:
    """End its session, if the server is there, and close its channel. Takes a second where it is not."""
    if client.is_closed:
        return
    with suppress(Exception):  # whatever is in the way: the process ends
        if client.host not in _GONE_SERVERS and _is_server_there(client):
            client.release_session()
    with suppress(Exception):
        client.close()


def _is_server_there(client: Any) -> bool:
    import grpc

    try:
        grpc.channel_ready_future(client._channel).result(timeout=_GOODBYE_S)  # noqa: SLF001  the client has no other
    except grpc.FutureTimeoutError:
        _GONE_SERVERS.add(client.host)
        return False
    return True


def application_of(spark: SparkSession) -> Any:
    """What sessions share that have the same executors: the SparkContext; over Connect each session is by itself."""
    return spark if is_connect_session(spark) else spark.sparkContext


def jvm_identity() -> int:
    """What columns and frames of this process belong to: the connection to its JVM; 0 where it has none."""
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    gateway = getattr(context, "_gateway", None)
    return 0 if gateway is None else id(gateway)


def count_task_slots(spark: SparkSession) -> int:
    """How many tasks the session runs at once.

    Jobs:    none; over Connect one where the plan of a range does not say it.
    """
    if not is_connect_session(spark):
        return int(spark.sparkContext.defaultParallelism)
    facts = _facts_of(spark)
    if facts.task_slots is None:
        facts.task_slots = _ask_task_slots(spark)
    return facts.task_slots


def load_master(spark: SparkSession) -> str:
    """The master, `local[2]` or an address; empty where a Connect server does not say it."""
    if not is_connect_session(spark):
        return str(spark.sparkContext.master)
    try:
        return str(spark.conf.get("spark.master", ""))
    except PySparkException:  # a platform that shows only some settings
        return ""


def count_frame_partitions(rows: Any, *, unknown: int) -> int:
    """How many tasks compute a frame; `unknown` over Connect, which does not say it."""
    return unknown if is_connect_session(rows.sparkSession) else int(rows.rdd.getNumPartitions())


def shares_files(spark: SparkSession) -> bool:
    """Whether local paths mean the same files in this process and for Spark's driver.

    So it is in a classic session. A Connect server may run anywhere, behind a tunnel to this machine too, so it has to
    prove that it sees what only this machine has at this moment: a new file of a random name in the folder for
    temporary files, and this very thread in /proc. Any other answer is a no.

    Jobs:    none; over Connect one question, asked once.
    """
    if not is_connect_session(spark):
        return True
    facts = _facts_of(spark)
    if facts.shares_files is None:
        facts.shares_files = _is_own_machine_seen(spark)
    return facts.shares_files


def _facts_of(spark: SparkSession) -> _ServerFacts:
    return _SERVER_FACTS.setdefault(spark, _ServerFacts())


def _ask_task_slots(spark: SparkSession) -> int:
    """The plan of a range has as many parts as tasks run at once: Spark says it without a job."""
    plan = "\n".join(str(row[0]) for row in spark.sql("EXPLAIN SELECT * FROM range(1)").collect())
    found = _RANGE_SPLITS.search(plan)
    if found is not None:
        return max(1, int(found[1]))
    from pyspark.sql import functions as F  # here: executors import this module, and call none of this

    numbers = spark.range(0, 10_000).select(F.spark_partition_id().alias("part")).distinct()
    return max(1, numbers.count())


def _is_own_machine_seen(spark: SparkSession) -> bool:
    thread = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/comm")
    if not thread.is_file():
        return False
    try:
        # Without a scheme: where that means a cluster's file system, paths of tables do, too
        with tempfile.NamedTemporaryFile(prefix="sparkscore-probe-") as probe:
            frame = spark.read.format("text").load([os.path.realpath(probe.name), thread.as_uri()])
            return bool(frame.schema.names)
    except (PySparkException, OSError):
        return False
