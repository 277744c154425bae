"""Rows that the driver holds are appended without Spark, as Spark would append them."""

import json
import multiprocessing
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyarrow import parquet as pq
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableRef
from sparkscore.schemas import PROFILE_CONTRACT, RUNS_CONTRACT, ContractColumn, TableContract
from sparkscore.store import direct_commits, small_table_upkeep
from sparkscore.store.direct_commits import AppendGuard, append_directly
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.guarded_writes import append_rows, append_rows_once
from sparkscore.store.small_table_upkeep import (
    CHECKPOINT_INTERVAL,
    CLEANUP_INTERVAL,
    choose_full_tier,
    choose_wide_file,
    compact_small_files,
    keep_table_small,
)
from sparkscore.store.small_tables import append_small_rows, ensure_small_table, load_small_table
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

FIRST = datetime(2013, 12, 29, 23, 30, tzinfo=UTC)
CONTRACT = TableContract(
    "a table",
    (
        ContractColumn("as_of", pa.timestamp("us", "UTC"), "time", nullable=False),
        ContractColumn("as_of_date", pa.date32(), "its date", nullable=False),
        ContractColumn("name", pa.string(), "name", nullable=False),
        ContractColumn("count", pa.int64(), "count"),
        ContractColumn("numbers", pa.list_(pa.float64()), "a list"),
        ContractColumn("pair", pa.struct([("low", pa.float64()), ("at", pa.timestamp("us", "UTC"))]), "a struct"),
    ),
    partitioned_by=("as_of_date",),
)


def row(day: int = 0, **values: Any) -> dict[str, Any]:
    at = FIRST + timedelta(days=day)
    pair = {"low": 0.5, "at": at + timedelta(microseconds=1)}
    return {"as_of": at, "as_of_date": at.date(), "name": "a", "numbers": [0.5, None], "pair": pair} | values


def rows_of(found: pa.Table) -> list[dict[str, Any]]:
    return sorted(found.to_pylist(), key=lambda one: (one["as_of"], one["name"]))


@pytest.fixture
def made(tmp_path: Path) -> Table:
    """An empty table, made and seen without a session: whatever needs Spark is an error."""
    table = Table(None, TableRef("t", str(tmp_path / "t")))
    create_directly(table, CONTRACT, job="job")
    return table


def in_session(table: Table, spark: SparkSession) -> Table:
    return Table(spark, table.ref)


def append(table: Table, *rows: dict[str, Any], guard: AppendGuard | None = None) -> int | None:
    return append_directly(table, pa.Table.from_pylist(list(rows), schema=CONTRACT.schema), guard=guard)


def names(table: Table) -> list[str]:
    return sorted(DirectTable.open(table).read_rows()["name"].to_pylist())


def test_what_deltalake_appends_is_what_spark_appends_for_every_reader(
    spark: SparkSession, made: Table, tmp_path: Path
) -> None:
    other = Table(spark, TableRef("s", str(tmp_path / "s")))
    ensure_table(other, CONTRACT, job="job")
    days = [[row(), row(name="b", numbers=None, pair=None)], [row(1, count=2**60)]]
    for rows in days:
        append_small_rows(made, CONTRACT, rows)
        append_rows(spark.createDataFrame(pa.Table.from_pylist(rows, schema=CONTRACT.schema)), other)
    read_by_spark = [rows_of(one.load_rows().toArrow()) for one in (in_session(made, spark), other)]
    read_by_deltalake = [rows_of(DeltaTable(str(one.path)).to_pyarrow_table()) for one in (made, other)]
    assert read_by_spark[0] == read_by_spark[1]
    assert read_by_deltalake[0] == read_by_deltalake[1]
    assert [one["as_of"].astimezone(UTC) for one in read_by_deltalake[0]] == [FIRST, FIRST, FIRST + timedelta(days=1)]
    schemas = [one.load_rows().schema for one in (in_session(made, spark), other)]
    assert schemas[0] == schemas[1]
    by_duckdb = [duckdb.from_arrow(DeltaTable(str(one.path)).to_pyarrow_dataset()) for one in (made, other)]
    assert sorted(map(str, by_duckdb[0].fetchall())) == sorted(map(str, by_duckdb[1].fetchall()))
    assert by_duckdb[0].types == by_duckdb[1].types


@pytest.mark.parametrize("contract", [CONTRACT, RUNS_CONTRACT, PROFILE_CONTRACT])
def test_a_table_made_by_deltalake_is_the_one_that_spark_makes(
    spark: SparkSession, tmp_path: Path, contract: TableContract
) -> None:
    theirs = Table(spark, TableRef("s", str(tmp_path / "s")))
    ours = Table(spark, TableRef("t", str(tmp_path / "t")))
    ensure_table(theirs, contract, job="job")
    ensure_small_table(ours, contract, job="job")
    assert DeltaTable(str(ours.path)).history()[0]["engineInfo"].startswith("delta-rs")
    assert log_metadata(ours) == log_metadata(theirs)
    by_spark = [spark.sql(f"DESCRIBE TABLE EXTENDED delta.`{one.path}`").collect() for one in (ours, theirs)]
    shown = [[one for one in rows if one["col_name"] not in ("Location", "Name", "Table")] for rows in by_spark]
    assert shown[0] == shown[1]
    # what Spark has made is written without it from then on
    direct_commits._require_plain_writer(DirectTable.open(theirs), contract.schema.empty_table())


def log_metadata(table: Table) -> dict[str, Any]:
    """The protocol and the metadata of the first commit, without what differs between any two tables."""
    lines = Path(str(table.path), "_delta_log", f"{0:020}.json").read_text().splitlines()
    actions = {name: value for line in lines for name, value in json.loads(line).items()}
    metadata = actions["metaData"]
    kept = {name: metadata.get(name) for name in ("description", "format", "partitionColumns", "configuration", "name")}
    return {"protocol": actions["protocol"], "schema": json.loads(metadata["schemaString"]), **kept}


@pytest.mark.parametrize("found", ["a file", "a commit"])
def test_a_folder_with_files_is_left_to_spark_and_its_errors(tmp_path: Path, found: str) -> None:
    folder = tmp_path / "t" if found == "a file" else tmp_path / "t" / "_delta_log"
    folder.mkdir(parents=True)
    (folder / "something").touch()
    create_directly(Table(None, TableRef("t", str(tmp_path / "t"))), CONTRACT, job="job")
    assert not list(tmp_path.rglob("*.json"))


def test_an_empty_log_that_a_dead_process_has_left_is_no_table_yet(tmp_path: Path) -> None:
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    table = Table(None, TableRef("t", str(tmp_path / "t")))
    create_directly(table, CONTRACT, job="job")
    assert names(table) == []


def test_an_append_needs_no_session_and_says_which_version_it_made(made: Table) -> None:
    assert [append(made, row()), append(made, row(name="b"), row(name="c"))] == [1, 2]
    assert names(made) == ["a", "b", "c"]


@pytest.mark.parametrize("first", ["deltalake", "spark"])
def test_a_guard_holds_whoever_has_committed_it(spark: SparkSession, made: Table, first: str) -> None:
    def by_spark(name: str, version: int) -> None:
        frame = spark.createDataFrame(pa.Table.from_pylist([row(name=name)], schema=CONTRACT.schema))
        append_rows_once(frame, in_session(made, spark), app_id="app", version=version)

    def by_deltalake(name: str, version: int) -> None:
        append(made, row(name=name), guard=("app", version))

    one, other = (by_deltalake, by_spark) if first == "deltalake" else (by_spark, by_deltalake)
    one("first", 2)
    for again in (one, other):
        again("same", 2)
        again("older", 1)
    DeltaTable(str(made.path)).create_checkpoint()
    other("same", 2)
    other("newer", 3)
    assert names(made) == ["first", "newer"]


def test_a_guard_that_another_writer_commits_at_the_same_moment_is_seen(
    made: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = direct_commits.commit_actions

    def overtaken(found: DirectTable, *given: Any, **named: Any) -> None:
        monkeypatch.setattr(direct_commits, "commit_actions", commit)
        append(made, row(name="faster"), guard=("app", 1))
        commit(found, *given, **named)

    monkeypatch.setattr(direct_commits, "commit_actions", overtaken)
    append(made, row(name="slower"), guard=("app", 1))
    assert names(made) == ["faster"]


def test_no_other_thread_moves_the_table_on_between_the_look_for_a_guard_and_the_commit(
    made: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, asking = direct_commits.commit_actions, Thread(target=made.log.load_newest_version)

    def overtaken(found: DirectTable, *given: Any, **named: Any) -> None:
        monkeypatch.setattr(direct_commits, "commit_actions", commit)
        append(Table(None, made.ref), row(name="faster"), guard=("app", 1))
        asking.start()
        asking.join(0.2)
        commit(found, *given, **named)

    monkeypatch.setattr(direct_commits, "commit_actions", overtaken)
    append(made, row(name="slower"), guard=("app", 1))
    asking.join()
    assert names(made) == ["faster"]


def test_an_error_after_the_commit_does_not_append_twice(made: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = direct_commits.commit_actions

    def cut(*given: Any, **named: Any) -> None:
        commit(*given, **named)
        raise OSError("the answer was lost")

    monkeypatch.setattr(direct_commits, "commit_actions", cut)
    append(made, row())
    assert names(made) == ["a"]


def append_many(path: str, writer: int, count: int) -> None:
    """The work of a process: rows of its own, and rows that each writer wants to append once."""
    table = Table(None, TableRef("t", path))
    for one in range(count):
        append_small_rows(table, CONTRACT, [row(name=f"{writer}-{one}")])
        append_small_rows(table, CONTRACT, [row(name=f"once-{one}")], guard=("app", one))


def test_processes_that_append_at_once_lose_nothing_and_double_nothing(made: Table) -> None:
    context, count = multiprocessing.get_context("spawn"), 12
    writers = [context.Process(target=append_many, args=(made.path, writer, count)) for writer in range(2)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(120)
    assert [one.exitcode for one in writers] == [0, 0]
    kinds = ["0", "1", "once"]
    assert names(made) == sorted(f"{kind}-{one}" for kind in kinds for one in range(count))


def die_at_commit(path: str) -> None:
    """The work of a process that is gone before its commit."""
    direct_commits.commit_actions = lambda *_, **__: os._exit(9)
    append(Table(None, TableRef("t", path)), row())


def test_a_process_that_dies_before_its_commit_leaves_a_file_of_no_table(made: Table) -> None:
    dying = multiprocessing.get_context("spawn").Process(target=die_at_commit, args=(made.path,))
    dying.start()
    dying.join(120)
    assert dying.exitcode == 9
    assert len(list(Path(str(made.path)).rglob("*.parquet"))) == 1
    assert names(made) == []
    append(made, row(name="next"))
    assert names(made) == ["next"]


def test_a_missing_value_of_a_required_column_is_refused_as_spark_refuses_it(spark: SparkSession, made: Table) -> None:
    with pytest.raises(ValueError, match="'name' with null values"):
        append_small_rows(in_session(made, spark), CONTRACT, [row(name=None)])
    assert names(made) == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} ADD CONSTRAINT few CHECK (count < 10)",
        "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
        "ALTER TABLE {} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
    ],
)
def test_a_table_that_asks_more_of_its_writers_is_written_by_spark(
    spark: SparkSession, made: Table, statement: str
) -> None:
    spark.sql(statement.format(f"delta.`{made.path}`"))
    assert append(made, row()) is None
    append_small_rows(in_session(made, spark), CONTRACT, [row(count=1)])
    assert [one["name"] for one in load_small_table(in_session(made, spark))] == ["a"]
    assert not DeltaTable(str(made.path)).history(1)[0].get("engineInfo", "").startswith("delta-rs")


def test_a_place_that_only_spark_reaches_is_written_by_spark(
    spark: SparkSession, made: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: Any) -> Any:
        raise ScanUnsupported("a place that only Spark reaches")

    monkeypatch.setattr(DirectTable, "open", closed)
    monkeypatch.setattr(DirectTable, "open_shared", closed)
    guard = ("app", 1)
    for _ in range(2):
        append_small_rows(in_session(made, spark), CONTRACT, [row()], guard=guard)
    monkeypatch.undo()
    assert names(made) == ["a"]


def test_times_with_microseconds_are_found_by_the_statistics_of_both_writers(spark: SparkSession, made: Table) -> None:
    at = FIRST + timedelta(microseconds=123456)
    append(made, row(as_of=at, name="deltalake"))
    append_rows(
        spark.createDataFrame(pa.Table.from_pylist([row(as_of=at, name="spark")], schema=CONTRACT.schema)),
        in_session(made, spark),
    )
    found = load_small_table(made, where=("as_of", [at]))
    assert sorted(one["name"] for one in found) == ["deltalake", "spark"]


UNPARTITIONED = TableContract(CONTRACT.comment, CONTRACT.columns)


@pytest.fixture(scope="module")
def once_grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table of many commits of one row."""
    folder = tmp_path_factory.mktemp("grown") / "g"
    table = Table(None, TableRef("g", str(folder)))
    create_directly(table, UNPARTITIONED, job="job")
    for day in range(3 * CHECKPOINT_INTERVAL):
        append_small_rows(table, UNPARTITIONED, [row(day, name=f"{day:03}")], guard=("app", day))
    return folder


@pytest.fixture
def grown(once_grown: Path, tmp_path: Path) -> Table:
    """A copy of that table."""
    shutil.copytree(once_grown, tmp_path / "g")
    return Table(None, TableRef("g", str(tmp_path / "g")))


def test_a_table_of_many_commits_has_few_files_a_checkpoint_and_all_rows(spark: SparkSession, grown: Table) -> None:
    files = DirectTable.open(grown).list_files().num_rows
    assert files <= 2 * CHECKPOINT_INTERVAL
    assert Path(str(grown.path), "_delta_log", "_last_checkpoint").exists()
    wanted = [f"{day:03}" for day in range(3 * CHECKPOINT_INTERVAL)]
    assert names(grown) == wanted
    assert sorted(one["name"] for one in in_session(grown, spark).load_rows().collect()) == wanted
    frame = spark.createDataFrame(pa.Table.from_pylist([row()], schema=CONTRACT.schema))
    append_rows_once(frame, in_session(grown, spark), app_id="app", version=0)
    assert names(grown) == wanted, "Spark does not see the guards"


def test_an_append_during_a_compaction_wins_and_loses_nothing(grown: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(100, 140):
        append(grown, row(day, name=f"{day:03}"))
    before = names(grown)
    read = DirectTable.read_files

    def overtaken(self: DirectTable, *given: Any, **named: Any) -> pa.Table:
        monkeypatch.setattr(DirectTable, "read_files", read)
        append(grown, row(name="meanwhile"))
        return read(self, *given, **named)

    monkeypatch.setattr(DirectTable, "read_files", overtaken)
    assert compact_small_files(grown, choose_full_tier) == 0
    assert names(grown) == sorted([*before, "meanwhile"])
    assert compact_small_files(grown, choose_full_tier) > 0
    assert names(grown) == sorted([*before, "meanwhile"])


def test_rows_of_one_as_of_are_read_from_the_files_that_may_hold_it(
    grown: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    read = DirectTable.read_files

    def counted(self: DirectTable, files: pa.Table, **named: Any) -> pa.Table:
        opened.append(files.num_rows)
        return read(self, files, **named)

    monkeypatch.setattr(DirectTable, "read_files", counted)
    found = load_small_table(grown, where=("as_of", [FIRST + timedelta(days=50)]))
    assert ([one["name"] for one in found], opened) == (["050"], [1])


def test_a_file_of_one_large_row_group_is_written_anew_in_order(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_table_upkeep, "_WIDE_ROWS", 20)
    monkeypatch.setattr(direct_commits, "ROW_GROUP_ROWS", 10)
    table = Table(spark, TableRef("w", str(tmp_path / "w")))
    ensure_small_table(table, UNPARTITIONED, job="job")
    rows = [row(40 - day, name=f"{day:03}") for day in range(40)]
    append_rows(spark.createDataFrame(pa.Table.from_pylist(rows, schema=CONTRACT.schema)).coalesce(1), table)
    assert [compact_small_files(table, choose_wide_file) for _ in range(2)] == [1, 0]
    found = DirectTable.open(table)
    assert found.read_rows()["name"].to_pylist() == sorted((one["name"] for one in rows), reverse=True)
    (path,) = found.list_files()["path"].to_pylist()
    assert pq.read_metadata(path, filesystem=found.filesystem).num_row_groups == 4
    assert table.load_rows().count() == 40


def test_expired_commits_leave_the_log_and_all_rows_stay(grown: Table) -> None:
    log = Path(str(grown.path), "_delta_log")
    before = set(log.glob("*.json"))
    for file in log.iterdir():
        os.utime(file, (0, 0))
    keep_table_small(grown, CLEANUP_INTERVAL)
    assert len(set(log.glob("*.json")) & before) < len(before) / 2
    assert len(names(grown)) == 3 * CHECKPOINT_INTERVAL


def test_a_log_that_never_expires_stays_whole(spark: SparkSession, grown: Table) -> None:
    spark.sql(f"ALTER TABLE delta.`{grown.path}` SET TBLPROPERTIES ('delta.enableExpiredLogCleanup' = 'false')")
    log = Path(str(grown.path), "_delta_log")
    before = set(log.glob("*.json"))
    for file in log.iterdir():
        os.utime(file, (0, 0))
    keep_table_small(grown, CLEANUP_INTERVAL)
    assert set(log.glob("*.json")) >= before
