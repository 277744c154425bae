"""How many executors a session may have at once, for limits that they share. Runs on the driver."""

from contextlib import suppress

from pyspark.sql import SparkSession

from sparkscore.spark.session_kind import count_task_slots, is_connect_session, load_master
from sparkscore.spark.settable_conf import read_setting

_DYNAMIC = "spark.dynamicAllocation."
_ENDLESS = 100_000
"""Spark's own default for the most executors is the greatest integer."""


def count_most_executors(spark: SparkSession) -> int:
    """The greatest number of executors that the session may have, never too small: with dynamic allocation the one
    that it is bounded by; where nothing says it, as many as tasks.

    Jobs:    none; over Connect one where the plan of a range does not tell how many tasks run at once.
    """
    if load_master(spark).startswith("local"):
        return 1
    if str(read_setting(spark, f"{_DYNAMIC}enabled") or "").lower() == "true":
        most = _to_count(read_setting(spark, f"{_DYNAMIC}maxExecutors"))
        return most if 0 < most < _ENDLESS else max(count_task_slots(spark), _count_running_executors(spark))
    named = _to_count(read_setting(spark, "spark.executor.instances"))
    running = _count_running_executors(spark)
    return max(named, running) or count_task_slots(spark)


def _count_running_executors(spark: SparkSession) -> int:
    if is_connect_session(spark):
        return 0
    with suppress(Exception):  # a platform that shows none of it
        statuses = spark.sparkContext._jsc.sc().getExecutorMemoryStatus()  # noqa: SLF001  no public way in Python
        return max(0, int(statuses.size()) - 1)  # the driver is one of them
    return 0


def _to_count(text: object) -> int:
    with suppress(TypeError, ValueError):
        return int(str(text))
    return 0
