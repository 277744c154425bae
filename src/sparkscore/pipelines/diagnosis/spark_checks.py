"""Checks of a session: Spark's version, and the jar that it has loaded Delta from."""

from typing import TYPE_CHECKING, Any

from sparkscore.pipelines.diagnosis.driver_checks import judge_delta_jar, judge_java_version, judge_spark_version
from sparkscore.pipelines.diagnosis.failure_lines import choose_failure_line
from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.spark.session_kind import is_connect_session, load_master

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NO_JAR = "start Spark with Delta's jar: --packages io.delta:delta-spark_4.2_2.13:4.4.0, and spark.sql.extensions"


def check_session(spark: "SparkSession") -> EnvironmentCheck:
    """The version of Spark that answers, and where it runs."""
    import pyspark

    own = pyspark.__version__
    if is_connect_session(spark):
        found = judge_spark_version(spark.version, f"Spark {spark.version} over Connect, PySpark {own}")
        if found.status == "ok" and own.split(".")[:2] != spark.version.split(".")[:2]:
            return EnvironmentCheck("spark", "warn", found.found, "use the client of the server's version")
        return found
    return judge_spark_version(spark.version, f"Spark {spark.version} on {load_master(spark)}")


def check_session_java(spark: "SparkSession") -> EnvironmentCheck:
    """The Java that the driver's JVM is."""
    if is_connect_session(spark):
        return EnvironmentCheck("java", "skip", "Spark Connect: only its server has a Java")
    jvm: Any = spark.sparkContext._jvm  # noqa: SLF001  no public way
    system = jvm.java.lang.System
    return judge_java_version(f'version "{system.getProperty("java.version")}"', str(system.getProperty("java.home")))


def check_delta_jar(spark: "SparkSession") -> EnvironmentCheck:
    """Whether Spark has Delta, and from which jar.

    Jobs:    none.
    """
    try:
        if is_connect_session(spark):
            return _try_delta(spark)
        jvm: Any = spark.sparkContext._jvm  # noqa: SLF001  no public way
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        source = loader.loadClass("org.apache.spark.sql.delta.DeltaLog").getProtectionDomain().getCodeSource()
        return judge_delta_jar(str(source.getLocation().getPath()), spark.version)
    except Exception as error:  # noqa: BLE001  whatever it is: Delta is not there, or not whole
        return EnvironmentCheck("delta jar", "fail", f"Spark has no Delta: {choose_failure_line(error)}", _NO_JAR)


def _try_delta(spark: "SparkSession") -> EnvironmentCheck:
    """A server tells it by how it fails to read a table that is nowhere."""
    try:
        spark.read.format("delta").load("/nowhere/sparkscore-doctor").schema  # noqa: B018
    except Exception as error:
        if "DELTA_" not in str(error) and "PATH_NOT_FOUND" not in str(error):
            raise
    return EnvironmentCheck("delta jar", "ok", "the server reads Delta")
