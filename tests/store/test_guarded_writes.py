"""Commits: the guarded MERGE, the idempotent append, the replacement of a demo table."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.records import Pins, RunCommitNote, TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.spark.isolated_session import create_guarded_session, create_isolated_session
from sparkscore.store import commit_history, guarded_writes, table_contracts
from sparkscore.store.table import Table

AS_OF = datetime(2013, 12, 31, 6, tzinfo=UTC)
PINS = Pins("id", 0, "m", "1", "digest", "scoring")
CONTRACT = prediction_contract(
    [ContractColumn("id", pa.int64(), "key", nullable=False)], pa.float64(), [], threshold=None
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> TableRef:
    ref = TableRef("p", str(tmp_path / "p"))
    table_contracts.ensure_table(Table(spark, ref), CONTRACT, job="job")
    return ref


def source(
    spark: SparkSession, ids: range, *, run: str, revision: int = 1, as_of: datetime = AS_OF, value: float = 0.5
) -> DataFrame:
    note = RunCommitNote("job", as_of, revision, 1, run, len(ids), 0, PINS, "flights", "m-1")
    session = create_guarded_session(spark, app_id=f"job/{as_of.isoformat()}", version=revision, note=note.to_json())
    assert session is not None
    constants = {
        "prediction": F.lit(value),
        "model_name": F.lit("m"),
        "model_version": F.lit("1"),
        "model_id": F.lit("m-1"),
        "run_id": F.lit(run),
        "source_version": F.lit(0).cast("long"),
        "as_of": F.lit(as_of),
        "as_of_date": F.lit(as_of.date()),
        "scored_at": F.lit(as_of),
    }
    return session.range(ids.start, ids.stop).select("id", *(column.alias(name) for name, column in constants.items()))


def test_a_first_merge_inserts_and_a_later_revision_updates(spark: SparkSession, table: TableRef) -> None:
    guarded_writes.merge_into_table(source(spark, range(4), run="one"), Table(spark, table), keys=["id"], as_of=AS_OF)
    guarded_writes.merge_into_table(
        source(spark, range(2, 6), run="two", revision=2, value=0.7), Table(spark, table), keys=["id"], as_of=AS_OF
    )
    expected = spark.createDataFrame(
        [(0, 0.5), (1, 0.5), (2, 0.7), (3, 0.7), (4, 0.7), (5, 0.7)], "id long not null, prediction double"
    )
    assert_df_equality(
        Table(spark, table).load_rows().select("id", "prediction"),
        expected,
        ignore_row_order=True,
        ignore_metadata=True,
    )


def test_rows_flagged_as_gone_are_deleted(spark: SparkSession, table: TableRef) -> None:
    guarded_writes.merge_into_table(source(spark, range(4), run="one"), Table(spark, table), keys=["id"], as_of=AS_OF)
    flagged = source(spark, range(4), run="two", revision=2).withColumn("_gone", F.col("id") > 1)
    guarded_writes.merge_into_table(flagged, Table(spark, table), keys=["id"], as_of=AS_OF)
    assert commit_history.count_rows_by_run(Table(spark, table), AS_OF) == {"two": 2}


def test_the_same_revision_again_is_skipped_and_an_older_one_is_fenced(spark: SparkSession, table: TableRef) -> None:
    guarded_writes.merge_into_table(
        source(spark, range(4), run="two", revision=2), Table(spark, table), keys=["id"], as_of=AS_OF
    )
    before = Table(spark, table).load_newest_version()
    guarded_writes.merge_into_table(
        source(spark, range(9), run="two", revision=2), Table(spark, table), keys=["id"], as_of=AS_OF
    )
    guarded_writes.merge_into_table(
        source(spark, range(9), run="one", revision=1), Table(spark, table), keys=["id"], as_of=AS_OF
    )
    assert Table(spark, table).load_newest_version() == before
    assert commit_history.count_rows_by_run(Table(spark, table), AS_OF) == {"two": 4}


def test_an_older_as_of_after_a_newer_one_is_published(spark: SparkSession, table: TableRef) -> None:
    earlier = AS_OF - timedelta(days=300)
    guarded_writes.merge_into_table(source(spark, range(4), run="new"), Table(spark, table), keys=["id"], as_of=AS_OF)
    guarded_writes.merge_into_table(
        source(spark, range(4), run="old", as_of=earlier), Table(spark, table), keys=["id"], as_of=earlier
    )
    assert commit_history.count_rows_by_run(Table(spark, table), earlier) == {"old": 4}
    assert commit_history.count_rows_by_run(Table(spark, table), AS_OF) == {"new": 4}


def test_two_as_ofs_of_one_date_do_not_touch_each_other(spark: SparkSession, table: TableRef) -> None:
    later = AS_OF + timedelta(hours=6)
    guarded_writes.merge_into_table(source(spark, range(4), run="six"), Table(spark, table), keys=["id"], as_of=AS_OF)
    guarded_writes.merge_into_table(
        source(spark, range(4), run="noon", as_of=later), Table(spark, table), keys=["id"], as_of=later
    )
    assert commit_history.count_rows_by_run(Table(spark, table), AS_OF) == {"six": 4}
    assert commit_history.count_rows_by_run(Table(spark, table), later) == {"noon": 4}


def test_a_commit_tells_its_run_and_the_history_its_greatest_revision(spark: SparkSession, table: TableRef) -> None:
    guarded_writes.merge_into_table(source(spark, range(4), run="one"), Table(spark, table), keys=["id"], as_of=AS_OF)
    found = commit_history.find_run_commit(Table(spark, table), "one")
    assert found is not None
    assert (found.version, found.note.revision) == (1, 1)
    assert commit_history.find_run_commit(Table(spark, table), "none") is None
    assert commit_history.load_committed_revision(Table(spark, table), job="job", as_of=AS_OF) == 1
    assert commit_history.load_committed_revision(Table(spark, table), job="other", as_of=AS_OF) == 0


def test_a_table_that_is_not_there_holds_nothing(spark: SparkSession) -> None:
    nowhere = TableRef("x", "/nowhere/x")
    assert commit_history.count_rows_by_run(Table(spark, nowhere), AS_OF) == {}
    assert commit_history.load_committed_revision(Table(spark, nowhere), job="job", as_of=AS_OF) == 0


def test_an_append_happens_once(spark: SparkSession, tmp_path: Path) -> None:
    ref = TableRef("s", str(tmp_path / "s"))
    for _ in range(2):
        guarded_writes.append_rows_once(spark.range(3).toDF("id"), Table(spark, ref), app_id="stage", version=1)
    assert Table(spark, ref).load_rows().count() == 3


def test_a_demo_table_holds_exactly_its_frame_with_comments(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "demo")
    for rows in (5, 3):
        guarded_writes.overwrite_table(
            spark.range(rows).toDF("id"), path, comment="a table", column_comments={"id": "the key"}
        )
    frame = Table(spark, TableRef(path, path)).load_rows()
    assert frame.count() == 3
    assert frame.schema["id"].metadata["comment"] == "the key"


def test_a_session_of_its_own_has_the_callers_settings_and_keeps_its_own(spark: SparkSession) -> None:
    before = str(spark.conf.get("spark.sql.shuffle.partitions"))
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        session = create_isolated_session(spark, {"spark.sql.session.timeZone": "Asia/Tokyo"})
        assert session.conf.get("spark.sql.shuffle.partitions") == "3"
        assert session.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
