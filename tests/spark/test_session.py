"""The session: what it is made of, and which ones are refused."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import UnsupportedSession
from sparkscore.spark import session
from sparkscore.spark.delta_jars import DELTA_EXCLUDES, DELTA_PACKAGE
from sparkscore.spark.isolated_session import create_run_session, refuse_connect

CONF = Path(__file__).resolve().parents[2] / "conf" / "spark"


@pytest.mark.parametrize("name", ["local.conf", "cluster.conf"])
def test_the_console_and_spark_submit_fetch_the_same_jars(name: str) -> None:
    lines = [line.split(maxsplit=1) for line in (CONF / name).read_text().splitlines() if line and line[0] != "#"]
    conf = {key: value.strip() for key, value in lines}
    assert conf["spark.jars.packages"] == DELTA_PACKAGE
    assert conf["spark.jars.excludes"] == DELTA_EXCLUDES


def test_a_job_takes_the_session_that_is_there(spark: SparkSession) -> None:
    assert session.get_job_session("another name").sparkContext is spark.sparkContext


def test_a_run_has_a_session_of_its_own_on_the_same_context(spark: SparkSession) -> None:
    own = create_run_session(spark)
    assert own is not spark
    assert own.sparkContext is spark.sparkContext
    assert own.conf.get("spark.sql.session.timeZone") == "UTC"


@pytest.mark.parametrize("variable", ["SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"])
def test_spark_connect_is_refused_before_it_starts(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "sc://127.0.0.1:15002")
    with pytest.raises(UnsupportedSession, match="Connect"):
        session.get_job_session("tests")


def test_a_spark_connect_session_is_refused_with_the_cure() -> None:
    kind = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})
    with pytest.raises(UnsupportedSession, match="dedicated access mode"):
        refuse_connect(kind())
