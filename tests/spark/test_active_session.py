"""Which session a thread finds as the active one."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.spark.active_session import activate_session, create_frame
from sparkscore.spark.isolated_session import create_run_session


def active_of_jvm(spark: SparkSession) -> object:
    return spark._jvm.org.apache.spark.sql.classic.SparkSession.getActiveSession().get()  # type: ignore[union-attr]


@pytest.fixture
def own(spark: SparkSession) -> Iterator[SparkSession]:
    spark.createDataFrame([], "x int")  # the callers' session is the active one
    yield create_run_session(spark)
    assert SparkSession.getActiveSession() is spark
    assert active_of_jvm(spark).equals(spark._jsparkSession)  # type: ignore[attr-defined]


def test_a_frame_of_a_runs_session_leaves_the_callers_the_active_one(own: SparkSession) -> None:
    frame = create_frame(own, pa.table({"x": [1, 2]}))
    assert frame.sparkSession is own
    assert [row.x for row in frame.collect()] == [1, 2]


def test_so_does_one_that_cannot_be_made(own: SparkSession) -> None:
    with pytest.raises(TypeError):
        create_frame(own, 7, "x int")


def test_a_block_that_has_its_own_gives_the_callers_back(own: SparkSession) -> None:
    with activate_session(own):
        assert active_of_jvm(own).equals(own._jsparkSession)  # type: ignore[attr-defined]
