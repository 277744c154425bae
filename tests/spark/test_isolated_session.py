"""What the caller's session or its SparkContext has set, and what of it reaches a write or a read of ours."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from sparkscore.records import RunEvent, TableRef
from sparkscore.schemas import ContractColumn, TableContract
from sparkscore.spark.isolated_session import create_guarded_session, create_run_session
from sparkscore.spark.session_settings import REACHING, is_steering, settings_to_change
from sparkscore.store import file_maintenance
from sparkscore.store.guarded_writes import append_rows, merge_into_table
from sparkscore.store.run_events import ensure_events_table, load_events, record_events
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
DELTA = "spark.databricks.delta."
PLAIN = TableContract(
    "a table of this test", (ContractColumn("id", pa.int64(), "key"), ContractColumn("at", pa.string(), "day")), ("at",)
)


@contextmanager
def submitted(spark: SparkSession, conf: Mapping[str, str]) -> Iterator[SparkSession]:
    """A caller whose settings came with spark-submit: they are in the SparkContext's conf, not in its session."""
    context: Any = spark.sparkContext._jsc.sc().conf()
    before = {name: context.get(name, None) for name in conf}
    for name, value in conf.items():
        context.set(name, value)
    try:
        yield spark.newSession()
    finally:
        for name, value in before.items():
            if value is None:
                context.remove(name)
            else:
                context.set(name, value)


@contextmanager
def caller_with(spark: SparkSession, where: str, conf: Mapping[str, str]) -> Iterator[SparkSession]:
    """A run's session beside a caller that has set these."""
    if where == "spark-submit":
        with submitted(spark, conf) as caller:
            yield create_run_session(caller)
        return
    caller = spark.newSession()
    for name, value in conf.items():
        caller.conf.set(name, value)
    yield create_run_session(caller)


both = pytest.mark.parametrize("where", ["session", "spark-submit"])


@pytest.fixture
def table(tmp_path: Path) -> TableRef:
    return TableRef("t", str(tmp_path / "t"))


def frame_of(session: SparkSession, *rows: tuple[int, str]) -> Any:
    return session.createDataFrame(list(rows), "id long, at string").coalesce(1)


def files(table: TableRef) -> list[Path]:
    return sorted(Path(str(table.path)).rglob("*.parquet"))


def operations(table: TableRef) -> list[str]:
    return [commit["operation"] for commit in reversed(DeltaTable(str(table.path)).history())]


@both
def test_guards_of_the_caller_drop_no_event(spark: SparkSession, table: TableRef, where: str) -> None:
    left_behind = {f"{DELTA}write.txnAppId": "nightly", f"{DELTA}write.txnVersion": "3"}
    with caller_with(spark, where, left_behind) as session:
        ensure_events_table(Table(session, table), job="job")
        for kind in ("started", "staged", "published"):
            record_events(Table(session, table), [RunEvent("job", AS_OF, 1, 1, kind, datetime.now(UTC))])
        assert [one.event for one in load_events(Table(session, table), job="job")] == [
            "started",
            "staged",
            "published",
        ]
    assert DeltaTable(str(table.path)).transaction_version("nightly") is None


@both
def test_the_callers_user_metadata_is_on_no_commit_of_ours(spark: SparkSession, table: TableRef, where: str) -> None:
    with caller_with(spark, where, {f"{DELTA}commitInfo.userMetadata": "the caller's"}) as session:
        append_rows(frame_of(session, (1, "a")), Table(session, table))
        merge_one(session, table)
    told = [commit.get("userMetadata") for commit in DeltaTable(str(table.path)).history()]
    assert [note for note in told if note == "the caller's"] == []


def merge_one(session: SparkSession, table: TableRef) -> None:
    own = create_guarded_session(session, app_id="job", version=1, note="{}")
    assert own is not None
    target = Table(own, table).handle
    target.alias("t").merge(frame_of(own, (1, "b")).alias("s"), "t.id = s.id").whenNotMatchedInsertAll().execute()


@both
def test_a_new_table_has_the_properties_of_its_contract_and_no_others(
    spark: SparkSession, table: TableRef, tmp_path: Path, where: str
) -> None:
    defaults = {
        "enableDeletionVectors": "true",
        "columnMapping.mode": "name",
        "appendOnly": "true",
        "enableChangeDataFeed": "true",
        "logRetentionDuration": "interval 1 hours",
        "minReaderVersion": "3",
        "minWriterVersion": "7",
    }
    by_writer = TableRef("w", str(tmp_path / "w"))
    with caller_with(spark, where, {f"{DELTA}properties.defaults.{k}": v for k, v in defaults.items()}) as session:
        ensure_table(Table(session, table), PLAIN, job="job")
        append_rows(frame_of(session, (1, "a")), Table(session, by_writer))
        for one in (table, by_writer):
            detail = Table(session, one).handle.detail().collect()[0]
            assert (detail["minReaderVersion"], detail["minWriterVersion"]) == (1, 2)
            named = {
                name for name, value in detail["properties"].items() if name.startswith("delta.") and value != "false"
            }
            assert named <= {"delta.dataSkippingStatsColumns", "delta.minReaderVersion", "delta.minWriterVersion"}


def test_optimized_and_compacted_writes_of_the_caller_leave_our_files_as_we_wrote_them(
    spark: SparkSession, table: TableRef
) -> None:
    hostile = {
        f"{DELTA}optimizeWrite.enabled": "true",
        f"{DELTA}autoCompact.enabled": "true",
        f"{DELTA}autoCompact.minNumFiles": "2",
        "spark.sql.files.maxRecordsPerFile": "1",
    }
    with caller_with(spark, "session", hostile) as session:
        for day in ("a", "b", "c"):
            append_rows(frame_of(session, (1, day), (2, day)), Table(session, table))
    assert operations(table) == ["WRITE"] * 3
    assert len(files(table)) == 3


def test_a_callers_schema_merge_adds_no_column(spark: SparkSession, table: TableRef) -> None:
    hostile = {f"{DELTA}schema.autoMerge.enabled": "true", f"{DELTA}schema.typeCheck.enabled": "false"}
    with caller_with(spark, "session", hostile) as session:
        append_rows(frame_of(session, (1, "a")), Table(session, table))
        with pytest.raises(AnalysisException):
            append_rows(
                session.createDataFrame([(2, "b", "c")], "id long, at string, more string"), Table(session, table)
            )
        assert Table(session, table).load_rows().columns == ["id", "at"]


@both
def test_an_overwrite_of_ours_replaces_every_partition(spark: SparkSession, table: TableRef, where: str) -> None:
    hostile = {
        "spark.sql.sources.partitionOverwriteMode": "dynamic",
        f"{DELTA}dynamicPartitionOverwrite.enabled": "true",
    }
    with caller_with(spark, where, hostile) as session:
        ensure_table(Table(session, table), PLAIN, job="job")
        append_rows(frame_of(session, (1, "a"), (2, "b")), Table(session, table))
        append_rows(frame_of(session, (3, "b")), Table(session, table), mode="overwrite")
        assert [tuple(row) for row in Table(session, table).load_rows().collect()] == [(3, "b")]


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_a_value_that_does_not_fit_is_an_error_and_never_null(spark: SparkSession, table: TableRef, ansi: str) -> None:
    hostile = {"spark.sql.storeAssignmentPolicy": "LEGACY", "spark.sql.ansi.enabled": ansi}
    with caller_with(spark, "session", hostile) as session:
        append_rows(frame_of(session, (1, "a")), Table(session, table))
        with pytest.raises(Exception, match=r"CAST|cast|type|merge"):
            append_rows(session.createDataFrame([("many", "b")], "id string, at string"), Table(session, table))
        assert Table(session, table).load_rows().count() == 1


@both
def test_files_hold_the_days_and_types_that_every_reader_expects(
    spark: SparkSession, table: TableRef, where: str
) -> None:
    hostile = {
        "spark.sql.parquet.datetimeRebaseModeInWrite": "LEGACY",
        "spark.sql.parquet.int96RebaseModeInWrite": "LEGACY",
        "spark.sql.parquet.writeLegacyFormat": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS",
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.caseSensitive": "true",
    }
    moment = datetime(2013, 12, 31, 23, 30, 0, 123456, tzinfo=UTC)
    with caller_with(spark, where, hostile) as session:
        frame = session.sql(
            "SELECT DATE'1500-03-01' AS day, TIMESTAMP'2013-12-31 23:30:00.123456' AS at,"
            " CAST(1.5 AS DECIMAL(9, 2)) AS x"
        )
        append_rows(frame, Table(session, table))
        append_rows(frame.withColumnRenamed("day", "DAY"), Table(session, table))
    (one, _) = files(table)
    found = pq.read_table(one)
    assert found["day"].to_pylist() == [date(1500, 3, 1)]
    assert found["at"].cast(pa.timestamp("us", "UTC")).to_pylist() == [moment]
    assert b"org.apache.spark.legacyDateTime" not in (found.schema.metadata or {})
    assert pq.ParquetFile(one).schema.column(2).physical_type == "INT32"


@pytest.mark.parametrize("name", ["spark.sql.files.ignoreMissingFiles", "spark.sql.files.ignoreCorruptFiles"])
@both
def test_a_file_that_is_damaged_or_gone_is_an_error_whatever_the_caller_ignores(
    spark: SparkSession, table: TableRef, where: str, name: str
) -> None:
    append_rows(frame_of(spark, (1, "a"), (2, "a")), Table(spark, table))
    append_rows(frame_of(spark, (3, "a")), Table(spark, table))
    damaged = files(table)[0]
    if "Missing" in name:
        damaged.unlink()
    else:
        damaged.write_bytes(b"PAR1" + b"\x00" * 200 + b"PAR1")
        damaged.with_name(f".{damaged.name}.crc").unlink(missing_ok=True)
    with (
        caller_with(spark, where, {name: "true"}) as session,
        pytest.raises(Exception, match=r"FAILED_READ_FILE|Parquet"),
    ):
        Table(session, table).load_rows().collect()


def test_a_commit_of_another_is_seen_at_once_whatever_staleness_the_caller_allows(
    spark: SparkSession, table: TableRef
) -> None:
    with caller_with(spark, "session", {f"{DELTA}stalenessLimit": "1h"}) as session:
        append_rows(frame_of(session, (1, "a")), Table(session, table))
        assert Table(session, table).load_rows().count() == 1
        more = pa.table({"id": pa.array([2], pa.int64()), "at": ["b"]})
        write_deltalake(str(table.path), more, mode="append")
        assert Table(session, table).load_newest_version() == 1
        assert Table(session, table).load_rows().count() == 2


def test_a_vacuum_finds_what_no_version_needs_whatever_kind_the_caller_has_chosen(
    spark: SparkSession, table: TableRef
) -> None:
    hostile = {f"{DELTA}vacuum.lite.enabled": "true", f"{DELTA}retentionDurationCheck.enabled": "false"}
    with caller_with(spark, "session", hostile) as session:
        append_rows(frame_of(session, (1, "a")), Table(session, table))
        orphan = Path(str(table.path)) / "part-of-nobody.parquet"
        orphan.write_bytes(b"")
        os.utime(orphan, (0, 0))
        assert file_maintenance.list_vacuumable_files(Table(session, table)) == [orphan.name]


@both
def test_a_merge_inserts_updates_and_deletes_whatever_the_caller_sets_for_merges(
    spark: SparkSession, tmp_path: Path, where: str
) -> None:
    hostile = {
        f"{DELTA}merge.materializeSource": "none",
        f"{DELTA}merge.optimizeInsertOnlyMerge.enabled": "false",
        f"{DELTA}merge.repartitionBeforeWrite.enabled": "true",
        f"{DELTA}commitValidation.enabled": "false",
        f"{DELTA}numRecordsValidation.enabled": "false",
        f"{DELTA}write.txnAppId": "job",
        f"{DELTA}write.txnVersion": "9",
    }
    table = TableRef("m", str(tmp_path / "m"))
    with caller_with(spark, where, hostile) as session:
        columns = "id long, as_of timestamp, as_of_date date, x long"
        append_rows(
            session.createDataFrame([(1, AS_OF, AS_OF.date(), 1), (2, AS_OF, AS_OF.date(), 2)], columns),
            Table(session, table),
        )
        own = create_guarded_session(session, app_id="job", version=1, note="{}")
        assert own is not None
        rows = [
            (1, AS_OF, AS_OF.date(), 10, True),
            (2, AS_OF, AS_OF.date(), 20, False),
            (3, AS_OF, AS_OF.date(), 30, False),
        ]
        merge_into_table(
            own.createDataFrame(rows, f"{columns}, _gone boolean"), Table(spark, table), keys=["id"], as_of=AS_OF
        )
        assert sorted((row["id"], row["x"]) for row in Table(session, table).load_rows().collect()) == [
            (2, 20),
            (3, 30),
        ]


def test_what_reaches_storage_and_what_makes_it_fast_arrives(spark: SparkSession) -> None:
    wanted = {
        "spark.sql.catalog.lake": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalog.lake.token": "secret",
        "fs.s3a.endpoint": "https://s3.example",
        "spark.hadoop.fs.s3a.access.key": "AKIA",
        "spark.sql.shuffle.partitions": "7",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.files.maxPartitionBytes": "64MB",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "123",
        "spark.databricks.unityCatalog.enabled": "true",
        "spark.vendor.own": "1",
        f"{DELTA}snapshotPartitions": "3",
        f"{DELTA}coordinatedCommits.commitCoordinator.dynamodb.readCapacityUnits": "6",
    }
    for where in ("session", "spark-submit"):
        with caller_with(spark, where, wanted) as session:
            again = create_guarded_session(session, app_id="job", version=1, note="{}")
            assert again is not None
            for name, value in wanted.items():
                if where == "spark-submit" and name in spark.conf.getAll:
                    continue  # what the tests' own session is built with is nearer than the SparkContext's
                assert (session.conf.get(name), again.conf.get(name)) == (value, value), (where, name)


def test_the_callers_own_session_keeps_its_settings(spark: SparkSession) -> None:
    caller = spark.newSession()
    caller.conf.set(f"{DELTA}write.txnAppId", "mine")
    before = caller.conf.getAll
    create_run_session(caller)
    assert caller.conf.getAll == before


def test_of_all_settings_that_delta_knows_only_the_named_ones_are_kept(spark: SparkSession) -> None:
    load_settings_of_delta(spark)
    jvm: Any = spark.sparkContext._jvm
    known = getattr(getattr(jvm.org.apache.spark.sql.internal, "SQLConf$"), "MODULE$").getConfigEntries().iterator()
    names = set()
    while known.hasNext():
        names.add(str(known.next().key()))
    of_delta = {name for name in names if name.startswith(DELTA)}
    assert len(of_delta) > 300
    kept = {name for name in of_delta if not is_steering(name)}
    assert {name for name in kept if not name.startswith(tuple(REACHING))} == set()
    assert not any(word in name for name in kept for word in ("write.", "merge", "properties", "optimize", "schema"))
    of_databricks = f"{DELTA}multiClusterWrites.enabled"
    assert [one for one in REACHING if one != of_databricks and not any(name.startswith(one) for name in names)] == []


def load_settings_of_delta(spark: SparkSession) -> None:
    jvm: Any = spark.sparkContext._jvm
    getattr(getattr(jvm.org.apache.spark.sql.delta.sources, "DeltaSQLConf$"), "MODULE$").hashCode()


def test_the_beginning_of_a_name_that_is_kept_keeps_no_other() -> None:
    assert not is_steering(f"{DELTA}snapshotPartitions")
    assert is_steering(f"{DELTA}snapshotPartitionsOfOurs")
    assert is_steering(f"{DELTA}write.txnAppId")
    assert not is_steering("spark.sql.parquet.compression.codec")


def test_changes_name_what_is_to_be_set_and_what_has_to_go() -> None:
    theirs = {
        "spark.sql.shuffle.partitions": "3",
        f"{DELTA}write.txnAppId": "x",
        "spark.sql.session.timeZone": "Asia/Tokyo",
    }
    found = {f"{DELTA}write.txnVersion": "1", "spark.sql.session.timeZone": "Asia/Tokyo", "spark.app.name": "a"}
    wanted = settings_to_change(theirs, found)
    assert wanted[f"{DELTA}write.txnVersion"] is None
    assert f"{DELTA}write.txnAppId" not in wanted
    assert (wanted["spark.sql.shuffle.partitions"], wanted["spark.sql.session.timeZone"]) == ("3", "UTC")
    assert "spark.app.name" not in wanted
