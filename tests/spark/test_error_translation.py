"""Failures of Spark and Delta become the suite's own errors."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import (
    AccessDenied,
    PublishConflict,
    SparkscoreError,
    TableNotFound,
    TemporaryError,
    VersionGone,
)
from sparkscore.spark.error_translation import to_sparkscore_error, translate_spark_errors


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
    error = to_sparkscore_error(PySparkException(text), "writing t")
    assert type(error) is kind
    assert "writing t" in error.found


@pytest.mark.parametrize(
    "error",
    [
        PySparkException("something else"),
        KeyError("No space left on device"),
        PySparkException("org.apache.spark.api.python.PythonException: permission denied"),
        PySparkException("no file at /t/carrier=No space left on device/part-0.parquet"),
    ],
)
def test_an_unknown_failure_stays_what_it_is(error: Exception) -> None:
    assert to_sparkscore_error(error, "x") is None


def test_a_full_disk_of_the_driver_is_temporary_and_its_place_is_named() -> None:
    error = to_sparkscore_error(OSError(errno.ENOSPC, "No space left on device", "/x/copies"), "running the job")
    assert type(error) is TemporaryError
    assert error.found == "no space left while running the job, at /x/copies"
    assert to_sparkscore_error(OSError(errno.ENOENT, "No such file or directory", "/x"), "running the job") is None


def test_the_border_translates_and_keeps_the_cause() -> None:
    cause = AnalysisException("[PATH_NOT_FOUND] Path does not exist")
    with pytest.raises(TableNotFound) as caught, translate_spark_errors("reading t"):
        raise cause
    assert caught.value.__cause__ is cause


def test_the_border_lets_others_through() -> None:
    with pytest.raises(PySparkException, match="something else"), translate_spark_errors("reading t"):
        raise PySparkException("something else")


VALUES = ("No space left on device", "DELTA_CONCURRENT_APPEND", "ConcurrentAppendException", "no such table")
"""What messages of Spark and Delta are known by, as values of rows."""


def cast(spark: SparkSession, value: str, _: Path) -> None:
    spark.sql(f"select cast('{value}' as int)").collect()


def raise_error(spark: SparkSession, value: str, _: Path) -> None:
    spark.sql(f"select raise_error('{value}')").collect()


def break_constraint(spark: SparkSession, value: str, folder: Path) -> None:
    name = f"delta.`{folder}/constrained`"
    spark.sql(f"create table {name} (t string) using delta")
    spark.sql(f"alter table {name} add constraint short check (length(t) < 2)")
    spark.sql(f"insert into {name} values ('{value}')")  # noqa: S608 - of the test's own


def write_failing_rows(spark: SparkSession, value: str, folder: Path) -> None:
    frame = spark.range(3).selectExpr(f"cast(if(id = 2, '{value}', '1') as int) n")
    frame.write.format("delta").save(str(folder / "cast"))


@pytest.mark.parametrize("deed", [cast, raise_error, break_constraint, write_failing_rows])
def test_a_value_that_spark_or_delta_quotes_decides_nothing(
    spark: SparkSession, tmp_path: Path, deed: Callable[[SparkSession, str, Path], None]
) -> None:
    value = "; ".join(VALUES) + "\nNo space left on device"
    with pytest.raises((PySparkException, Py4JJavaError)) as caught:
        deed(spark, value, tmp_path)
    assert VALUES[0] in str(caught.value)
    assert to_sparkscore_error(caught.value, "x") is None


def test_what_the_jvm_raises_is_known_by_its_class_and_message(spark: SparkSession) -> None:
    streams = spark._jvm.java.io  # type: ignore[union-attr]
    with pytest.raises(TemporaryError, match="no space left while writing"), translate_spark_errors("writing"):
        streams.FileOutputStream("/dev/full").write(1)
    with pytest.raises(VersionGone), translate_spark_errors("reading"):
        streams.FileInputStream("/absent/carrier=No space left on device/file")


def test_a_failure_of_delta_is_known_by_its_condition(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(TableNotFound), translate_spark_errors("reading"):
        spark.read.format("delta").load(str(tmp_path / "absent"))
    spark.range(1).write.format("delta").save(str(tmp_path / "one"))
    with pytest.raises(VersionGone), translate_spark_errors("reading"):
        spark.read.format("delta").option("versionAsOf", 7).load(str(tmp_path / "one")).collect()
