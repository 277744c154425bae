"""What a task of the scoring stage gets of an executor: Spark's resource profiles, for that stage alone.

A profile of tasks alone: it asks for no other executors than those of the session, which have to offer what it names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.spark.session_kind import application_of, count_task_slots, is_connect_session, load_master
from sparkscore.spark.settable_conf import read_setting

_CORES = "cpus"
_PROFILES: WeakKeyDictionary[Any, dict[tuple[tuple[str, float], ...], Any]] = WeakKeyDictionary()
"""Per context, or Connect session: Spark numbers each profile that is built, and keeps it as long as it runs."""


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """How the tasks of a stage run."""

    profile: Any
    """Spark's ResourceProfile; None: the session's own."""
    slots: int
    """How many of them run at once."""


def plan_task_profile(spark: SparkSession, resources: Mapping[str, float]) -> TaskProfile:
    """What tasks get where each is to have these resources, by name: `cpus`, and those of the executors, as `gpu`.

    Jobs:    none.
    Runs on: driver.
    Raises:  ConfigError where the master knows no profiles, or the executors do not offer so much.
    """
    slots = count_task_slots(spark)
    if not resources:
        return TaskProfile(None, slots)
    # of a profile that names no cores Spark cannot tell how many tasks run at once
    resources = {_CORES: float(read_setting(spark, "spark.task.cpus") or 1), **resources}
    key = tuple(sorted(resources.items()))
    known = _PROFILES.setdefault(application_of(spark), {})
    if key not in known:
        known[key] = _build_profile(spark, resources)
    return TaskProfile(known[key], _count_profile_slots(spark, known[key], resources, slots))


def _build_profile(spark: SparkSession, resources: Mapping[str, float]) -> Any:
    """The profile, which Spark has taken."""
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    master = load_master(spark)
    if master.startswith("local"):
        raise _profile_error(f"the master {master} knows no resource profiles")
    requests = TaskResourceRequests()
    for name, amount in resources.items():
        requests = requests.cpus(int(amount)) if name == _CORES else requests.resource(name, amount)
    profile = ResourceProfileBuilder().require(requests).build  # a property
    try:
        if is_connect_session(spark):
            profile.id  # noqa: B018  which registers it
        else:
            _register_profile(spark, profile)
    except PySparkException as error:
        raise _profile_error(str(error).strip().partition("\n")[0]) from error
    return profile


def _register_profile(spark: SparkSession, profile: Any) -> None:
    from py4j.protocol import Py4JJavaError

    context = spark.sparkContext._jsc.sc()  # noqa: SLF001  the JVM's own checks, which else fail the first task's stage
    java, manager = profile._java_resource_profile, context.resourceProfileManager()  # noqa: SLF001
    try:
        manager.isSupported(java)
        java.limitingResource(context.conf())
        manager.addResourceProfile(java)
    except Py4JJavaError as error:
        raise _profile_error(str(error.java_exception.getMessage())) from error


def _count_profile_slots(spark: SparkSession, profile: Any, resources: Mapping[str, float], slots: int) -> int:
    at_most = max(1, slots // int(resources[_CORES]))
    if is_connect_session(spark):
        return at_most
    context = spark.sparkContext._jsc.sc()  # noqa: SLF001
    running = int(context.maxNumConcurrentTasks(profile._java_resource_profile))  # noqa: SLF001
    return running or at_most  # none: no executor has come yet


def _profile_error(found: str) -> ConfigError:
    return ConfigError(
        f"scoring.resources: {found}",
        "a master that knows resource profiles (standalone, YARN, Kubernetes), and executors that offer what each task"
        " is to have",
        "start executors with it (spark.executor.resource.gpu.amount, spark.executor.cores), ask for less, or leave"
        " scoring.resources out",
    )
