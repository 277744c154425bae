"""The session: what it is made of, and which ones are refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.connect.client import SparkConnectClient

from sparkscore.errors import TemporaryError
from sparkscore.spark import connect_session, session
from sparkscore.spark.delta_jars import DELTA_EXCLUDES, DELTA_PACKAGE
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.session_kind import close_at_exit

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


def test_a_connect_server_that_does_not_answer_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_session, "_ANSWER_S", 0.2)
    client = SparkConnectClient("sc://127.0.0.1:9")
    close_at_exit(client)
    with pytest.raises(TemporaryError, match=r"no Spark Connect server answers at 127\.0\.0\.1"):
        connect_session.await_server(client)


def test_a_process_ends_at_once_though_its_connect_server_is_gone() -> None:
    code = """
from pyspark.sql.connect.client import SparkConnectClient
from sparkscore.spark.session_kind import close_at_exit
for _ in range(5):
    close_at_exit(SparkConnectClient("sc://127.0.0.1:9"))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
