"""Settings that a session refuses: what is done without them, and what is refused then."""

from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.records import TableRef
from sparkscore.spark.isolated_session import create_guarded_session, create_noted_session, create_run_session
from sparkscore.spark.session_settings import is_right_value
from sparkscore.spark.settable_conf import has_setting, is_any_refused, override_setting, read_setting
from sparkscore.store.table import Table
from tests.serverless import ServerlessSession

GUARD = "spark.databricks.delta.write.txnAppId"
CODEGEN = "spark.sql.codegen.maxFields"


@pytest.fixture
def serverless(spark: SparkSession) -> ServerlessSession:
    return ServerlessSession.beside(spark)


def test_a_runs_session_has_what_may_be_set_and_knows_what_may_not(serverless: ServerlessSession) -> None:
    serverless.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    serverless.conf.set("spark.sql.ansi.enabled", "false")
    session = create_run_session(serverless, batch_rows=7)
    assert isinstance(session, ServerlessSession)
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"
    assert session.conf.get("spark.sql.ansi.enabled") == "true"
    assert serverless.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert is_any_refused(session, ("spark.sql.execution.arrow.maxRecordsPerBatch",))
    with pytest.raises(AnalysisException, match="CONFIG_NOT_AVAILABLE"):
        session.conf.set(GUARD, "x")


def test_it_has_no_guarded_session_and_a_noted_one_without_a_note(
    serverless: ServerlessSession, spark: SparkSession
) -> None:
    assert create_guarded_session(serverless, app_id="job", version=1, note="{}") is None
    assert is_any_refused(serverless, (GUARD,))
    assert create_guarded_session(serverless, app_id="job", version=1, note="{}") is None  # without asking again
    assert isinstance(create_noted_session(serverless, "{}"), ServerlessSession)
    assert not is_any_refused(spark, (GUARD,))


def test_what_a_block_cannot_have_it_is_told(serverless: ServerlessSession, spark: SparkSession) -> None:
    with override_setting(serverless, CODEGEN, "7") as is_set:
        assert not is_set
    before = spark.conf.get(CODEGEN)
    with override_setting(spark, CODEGEN, "7") as is_set:
        assert (is_set, spark.conf.get(CODEGEN)) == (True, "7")
    assert spark.conf.get(CODEGEN) == before


def test_a_setting_that_nobody_may_read_is_as_good_as_none(serverless: ServerlessSession) -> None:
    assert read_setting(serverless, CODEGEN) is None
    assert read_setting(serverless, "spark.sql.ansi.enabled") is not None
    assert not has_setting(serverless, CODEGEN)


def test_a_setting_without_a_value_is_none(spark: SparkSession) -> None:
    assert read_setting(spark, "spark.sql.files.minPartitionNum") is None


def test_a_setting_is_there_once_somebody_has_set_it(spark: SparkSession) -> None:
    session = spark.newSession()
    assert not has_setting(session, "spark.task.resource.gpu.amount")
    session.conf.set("some.setting", "1")
    assert has_setting(session, "some.setting")


def test_a_value_that_would_lose_rows_and_that_nobody_can_change_is_refused_with_its_name(
    serverless: ServerlessSession,
) -> None:
    context: Any = serverless.sparkContext._jsc.sc().conf()  # what every session begins with
    context.set("spark.sql.files.ignoreCorruptFiles", "true")
    try:
        with pytest.raises(ConfigError, match="ignoreCorruptFiles=true, and lets nobody change it"):
            create_run_session(serverless)
    finally:
        context.remove("spark.sql.files.ignoreCorruptFiles")


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("spark.sql.session.timeZone", "Etc/UTC", True),
        ("spark.sql.session.timeZone", "Europe/Berlin", False),
        ("spark.sql.session.timeZone", None, False),
        ("spark.sql.caseSensitive", None, True),
        ("spark.sql.caseSensitive", "true", False),
        (GUARD, None, True),
        (GUARD, "nightly", False),
        ("spark.sql.parquet.writeLegacyFormat", "true", True),
    ],
)
def test_which_values_a_run_can_live_with(name: str, value: str | None, right: bool) -> None:
    assert is_right_value(name, value) == right


def test_a_path_that_sql_would_change_is_refused_where_nobody_can_switch_that_off(
    serverless: ServerlessSession, spark: SparkSession
) -> None:
    ref = TableRef("p", "/home/${user}/p")
    assert Table(create_run_session(spark), ref).sql_name == "delta.`/home/${user}/p`"
    with pytest.raises(ConfigError, match="without"):
        _ = Table(create_run_session(serverless), ref).sql_name
