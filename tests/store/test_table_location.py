"""Which tables are reached without Spark, and that S3 is: a real S3 protocol on loopback."""

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from moto.server import ThreadedMotoServer
from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.records import Condition, RunEvent, Snapshot, TableLocation, TableRef
from sparkscore.schemas import REJECT_TYPE, REJECTS_CONTRACT, RUNS_CONTRACT
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.file_commit import CommitGuard, commit_files, create_write_folder
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.run_events import load_events, load_run_index, record_events
from sparkscore.store.small_table_upkeep import CHECKPOINT_INTERVAL
from sparkscore.store.small_tables import append_small_rows
from sparkscore.store.table import Table
from sparkscore.store.table_location import locate_table

ROWS = pa.table({"id": range(1_000), "x": [float(i) for i in range(1_000)], "day": ["a", "b"] * 500})
STAGE = pa.schema([("id", pa.int64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])


def at(path: str | None) -> TableRef:
    return TableRef("t", path)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that the environment has the keys of."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    own = fs.S3FileSystem(endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True)
    own.create_dir("lake")
    return "s3a://lake"


def test_folders_of_the_machine_are_reached(spark: SparkSession) -> None:
    assert locate_table(spark, at("/data/my table")) == TableLocation("/data/my table", "/data/my table")
    assert locate_table(spark, at("file:///data/my%20table")) == TableLocation("/data/my%20table", "/data/my%20table")


@pytest.mark.parametrize(
    ("path", "why"), [(None, "a table of any schema"), ("hdfs://host/t", "is on hdfs"), ("dbfs:/b/t", "is on dbfs")]
)
def test_other_tables_are_sparks(spark: SparkSession, path: str | None, why: str) -> None:
    with pytest.raises(ScanUnsupported, match=why):
        locate_table(spark, at(path))


def test_s3_without_keys_and_session_is_sparks_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ScanUnsupported, match="no S3 keys"):
        locate_table(None, at("s3a://lake/t"))


@pytest.fixture
def log_store(spark: SparkSession) -> Iterator[None]:
    """A session whose Delta commits to S3 through a table in DynamoDB."""
    conf, name = spark.sparkContext._conf, "spark.delta.logStore.s3a.impl"
    conf.set(name, "io.delta.storage.S3DynamoDBLogStore")
    yield
    cast(Any, conf._jconf).remove(name)


@pytest.mark.usefixtures("log_store")
def test_where_a_service_orders_commits_only_spark_asks_the_log_and_commits(spark: SparkSession, bucket: str) -> None:
    reference = at(f"{bucket}/coordinated")
    location = locate_table(spark, reference)
    write_deltalake(location.uri, ROWS, storage_options=dict(location.options))
    table = Table(spark, reference)
    assert location.is_coordinated
    assert table.ask_log(lambda log: log.load_newest_version()) is None
    for open_table in (DirectTable.open, DirectTable.open_shared):
        with pytest.raises(ScanUnsupported, match="a service orders the commits"):
            open_table(table)
    assert not locate_table(spark, at("/data/t")).is_coordinated


def test_keys_are_in_no_representation(spark: SparkSession, bucket: str) -> None:
    assert "hush" not in repr(locate_table(spark, at(f"{bucket}/t")))


def test_a_table_on_s3_is_scanned_as_it_lies_there(spark: SparkSession, bucket: str) -> None:
    place = locate_table(spark, at(f"{bucket}/flights"))
    write_deltalake(place.uri, ROWS, storage_options=dict(place.options), partition_by=["day"])
    table_id = str(DeltaTable(place.uri, storage_options=dict(place.options)).metadata().id)
    where = (Condition("day", "=", "b"), Condition("x", ">=", 500))
    snapshot = Snapshot(at(f"{bucket}/flights"), table_id, 0, ROWS.schema, ("id", "x"), ("id",), where)
    scan = plan_file_scan(spark, snapshot)
    read = pickle.loads(pickle.dumps(scan.reader))  # as it travels to a task
    ids = [value for split in scan.splits for batch in read(split) for value in batch.column("id").to_pylist()]
    assert sorted(ids) == list(range(501, 1_000, 2))
    assert scan.pruned == 1


def test_a_stage_on_s3_is_written_by_tasks_and_committed_once(spark: SparkSession, bucket: str) -> None:
    place = locate_table(spark, at(f"{bucket}/stage/1"))
    create_write_folder(place)
    rows = [{"id": 1, "prediction": 0.5, "_reject": None}, {"id": 2, "prediction": 0.7, "_reject": None}]
    batches = [pa.RecordBatch.from_pylist([row], schema=STAGE) for row in rows]
    parts = write_stage_files(iter(batches), STAGE, place, "id")
    assert commit_files(place, STAGE, parts, CommitGuard("stage", 1, "{}")) == 0
    assert commit_files(place, STAGE, parts, CommitGuard("stage", 1, "{}")) is None
    found = DeltaTable(place.uri, storage_options=dict(place.options)).to_pyarrow_table()
    assert found.to_pylist() == rows


def test_a_log_on_s3_is_read_without_spark(bucket: str) -> None:
    own = Table(None, at(f"{bucket}/logged"))
    assert not own.exists()
    for version in range(12):
        note = CommitProperties({"userMetadata": f"note {version}"})
        options = dict(own.location.options)
        write_deltalake(own.location.uri, ROWS, storage_options=options, mode="append", commit_properties=note)
        assert (own.exists(), own.load_newest_version()) == (True, version)
    assert Table(None, own.ref).load_user_metadata() == [(version, f"note {version}") for version in range(12)]
    at_first = own.find_commit_time(0)
    assert at_first is not None
    assert own.find_version_at(at_first) == 0


def test_small_tables_on_s3_are_made_appended_to_and_kept_small_without_spark(bucket: str) -> None:
    events, rejects = Table(None, at(f"{bucket}/jobs/p_runs")), Table(None, at(f"{bucket}/jobs/p_rejects"))
    create_directly(events, RUNS_CONTRACT, job="job")
    create_directly(rejects, REJECTS_CONTRACT, job="job")
    times = [datetime(2013, 12, 1, tzinfo=UTC) + timedelta(days=day) for day in range(2 * CHECKPOINT_INTERVAL)]
    for moment in times:
        record_events(events, [RunEvent("job", moment, 1, 1, "started", moment)])
    reject = {"key": "{}", "code": "null_key", "run_id": "r", "as_of": times[0], "as_of_date": times[0].date()}
    for _ in range(2):
        append_small_rows(rejects, REJECTS_CONTRACT, [reject], guard=("rejects", 1))
    assert [one.as_of for one in load_events(events, job="job", as_ofs=times[3:5])] == times[3:5]
    assert load_run_index(events, job="job").as_ofs == tuple(times)
    assert [one.rows for one in count_rejects(rejects, job="job", as_of=times[0])] == [1]
    assert DirectTable.open(events).list_files().num_rows < len(times)


def test_a_file_that_is_gone_from_s3_is_named(spark: SparkSession, bucket: str) -> None:
    place = locate_table(spark, at(f"{bucket}/gone"))
    write_deltalake(place.uri, ROWS.drop_columns(["day"]), storage_options=dict(place.options))
    table = DeltaTable(place.uri, storage_options=dict(place.options))
    schema = ROWS.schema.remove(2)
    scan = plan_file_scan(spark, Snapshot(at(f"{bucket}/gone"), str(table.metadata().id), 0, schema, ("id",), ("id",)))
    assert place.filesystem is not None
    place.filesystem.delete_file(f"{place.root}/{pa.table(table.get_add_actions())['path'][0].as_py()}")
    with pytest.raises(ConfigError, match="of the pinned version is gone"):
        list(scan.reader(scan.splits[0]))


def test_two_drivers_that_commit_the_same_stage_make_one_commit(spark: SparkSession, tmp_path: Path) -> None:
    place = locate_table(spark, at(str(tmp_path / "stage")))
    create_write_folder(place)
    for key in (1, 1):
        batch = pa.RecordBatch.from_pylist([{"id": key, "prediction": 0.5, "_reject": None}], schema=STAGE)
        parts = write_stage_files(iter([batch]), STAGE, place, "id")
        commit_files(place, STAGE, parts, CommitGuard("stage", 1, "{}"))
    assert DeltaTable(place.uri).version() == 0
    assert DeltaTable(place.uri).to_pyarrow_table().num_rows == 1
