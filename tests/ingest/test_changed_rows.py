"""Changed rows of random histories against what the rows were and are, however the log has them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported, VersionGone
from sparkscore.ingest import change_files, changed_rows
from sparkscore.ingest.change_files import plan_change_scans
from sparkscore.ingest.changed_rows import ChangedRows, find_changed_rows
from sparkscore.records import ChangeRange, Condition, Snapshot, TableLocation, TableRef
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.log_changes import ChangeFiles, list_change_files
from sparkscore.store.table import Table

COLUMNS = pa.schema([("id", pa.int64()), ("x", pa.float64()), ("note", pa.string())])
READ = ("id", "x")
Rows = dict[int, tuple[float | None, str | None]]


def rows_of(found: pa.Table | Any) -> list[tuple[Any, ...]]:
    table = found if isinstance(found, pa.Table) else found.toArrow()
    return sorted(tuple(row.values()) for row in table.to_pylist())


def changes_of(
    table: Table, since: int, until: int, *, where: Sequence[Condition] = (), by_spark: bool = False
) -> ChangedRows:
    snapshot = Snapshot(table.ref, table.id, until, COLUMNS, tuple(COLUMNS.names), ("id",), tuple(where))
    return find_changed_rows(table, snapshot, ChangeRange(table.id, since, until), compare=READ, by_spark=by_spark)


@dataclass
class History:
    """A table that deltalake writes, and what its rows were at each version."""

    folder: str
    feed: bool
    states: dict[int, Rows] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)

    def begin(self) -> None:
        self.rows = {key: (float(key), "a") for key in range(4)}
        configuration = {"delta.enableChangeDataFeed": str(self.feed).lower()}
        write_deltalake(self.folder, self.to_table(self.rows), configuration=configuration)
        self.keep()

    @staticmethod
    def to_table(rows: Rows) -> pa.Table:
        return pa.Table.from_pylist([{"id": key, "x": x, "note": note} for key, (x, note) in rows.items()], COLUMNS)

    def keep(self) -> None:
        self.states[DeltaTable(self.folder).version()] = dict(self.rows)

    @staticmethod
    def condition(keys: Sequence[int]) -> str:
        return f"id IN ({', '.join(map(str, keys))})"

    def insert(self, keys: Sequence[int], value: float | None) -> None:
        new: Rows = {key: (value, "b") for key in keys if key not in self.rows}
        if new:
            write_deltalake(self.folder, self.to_table(new), mode="append")
            self.rows |= new

    def update(self, keys: Sequence[int], value: float | None) -> None:
        if hit := [key for key in keys if key in self.rows]:
            text = "NULL" if value is None else repr(value)
            DeltaTable(self.folder).update({"x": f"CAST({text} AS DOUBLE)"}, predicate=self.condition(hit))
            self.rows |= {key: (value, self.rows[key][1]) for key in hit}

    def annotate(self, keys: Sequence[int], value: float | None) -> None:
        if hit := [key for key in keys if key in self.rows]:
            DeltaTable(self.folder).update({"note": f"'{value}'"}, predicate=self.condition(hit))
            self.rows |= {key: (self.rows[key][0], str(value)) for key in hit}

    def delete(self, keys: Sequence[int], _: float | None) -> None:
        if hit := [key for key in keys if key in self.rows]:
            DeltaTable(self.folder).delete(self.condition(hit))
            self.rows = {key: row for key, row in self.rows.items() if key not in hit}

    def optimize(self, *_: Any) -> None:
        DeltaTable(self.folder).optimize.compact()

    def overwrite(self, *_: Any) -> None:
        write_deltalake(self.folder, self.to_table(self.rows), mode="overwrite")

    def turn_feed_on(self, *_: Any) -> None:
        DeltaTable(self.folder).alter.set_table_properties({"delta.enableChangeDataFeed": "true"})


STEPS = ("insert", "update", "annotate", "delete", "optimize", "overwrite", "turn_feed_on")
histories = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True),
        st.sampled_from([None, 0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=6,
)


def expected_changes(before: Rows, after: Rows) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows whose x differs, and the keys that are gone."""
    changed = [key for key in after if key not in before or before[key][0] != after[key][0]]
    return sorted((key, *after[key]) for key in changed), sorted((key,) for key in before if key not in after)


@contextmanager
def read_rewritten_files(always: bool) -> Iterator[None]:
    """A block in which new rows are read from what OPTIMIZE made of their files, as where VACUUM has removed these."""

    def list_files(location: TableLocation, since: int, until: int, *, follows_rewrites: bool) -> list[ChangeFiles]:
        return list_change_files(location, since, until, follows_rewrites=always or follows_rewrites)

    with patch.object(change_files, "list_change_files", list_files):
        yield


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=histories, feed=st.booleans(), follows_rewrites=st.booleans(), data=st.data())
def test_changes_of_any_range_of_a_history_are_what_differs(
    tmp_path_factory: pytest.TempPathFactory, steps: Any, feed: bool, follows_rewrites: bool, data: st.DataObject
) -> None:
    history = History(str(tmp_path_factory.mktemp("history") / "t"), feed)
    history.begin()
    for name, keys, value in steps:
        step: Callable[..., None] = getattr(history, name)
        step(keys, value)
        history.keep()
    versions = sorted(history.states)
    since = data.draw(st.sampled_from(versions))
    until = data.draw(st.sampled_from([version for version in versions if version >= since]))
    with read_rewritten_files(follows_rewrites):
        found = changes_of(Table(None, TableRef("t", history.folder)), since, until)
    rows, deleted = expected_changes(history.states[since], history.states[until])
    assert found.way == "the driver read the changed files"
    assert ([row[:2] for row in rows_of(found.rows)], rows_of(found.deleted)) == ([row[:2] for row in rows], deleted)


@dataclass
class Featured:
    """A table of many features that Spark writes, and what its rows were at each version."""

    table: Table
    states: dict[int, dict[int, float | None]] = field(default_factory=dict)

    def run(self, statement: str) -> None:
        self.table.spark.sql(statement.format(t=f"delta.`{self.table.path}`")).collect()
        rows = self.table.refresh().load_rows()
        value = "value" if "value" in rows.columns else "x"
        self.states[self.table.load_newest_version()] = {row["id"]: row[value] for row in rows.collect()}


@pytest.fixture(scope="module")
def featured(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Featured:
    """Deletion vectors, mapped columns, partitions, a column that is renamed, a feed that begins in the middle."""
    path = str(tmp_path_factory.mktemp("featured") / "t")
    made = Featured(Table(spark, TableRef("t", path)))
    made.run(
        "CREATE TABLE {t} (id BIGINT, x DOUBLE, part STRING) USING delta PARTITIONED BY (part) TBLPROPERTIES"
        " ('delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name')"
    )
    made.run("INSERT INTO {t} SELECT id, CAST(id AS DOUBLE), IF(id % 2 = 0, 'a', 'b') FROM range(0, 40, 1, 1)")
    made.run("DELETE FROM {t} WHERE id IN (1, 2)")
    made.run("UPDATE {t} SET x = 100 + x WHERE id IN (3, 4)")
    made.run("ALTER TABLE {t} RENAME COLUMN x TO value")
    made.run("ALTER TABLE {t} ADD COLUMN further STRING")
    made.run("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    made.run(
        "MERGE INTO {t} AS t USING (SELECT id, id + 200.0D AS value FROM range(38, 42)) AS s ON t.id = s.id"
        " WHEN MATCHED AND s.id = 38 THEN DELETE WHEN MATCHED THEN UPDATE SET value = s.value"
        " WHEN NOT MATCHED THEN INSERT (id, value, part) VALUES (s.id, s.value, 'a')"
    )
    made.run("UPDATE {t} SET value = 0 WHERE id = 5")
    made.run("UPDATE {t} SET value = 5 WHERE id = 5")
    made.run("DELETE FROM {t} WHERE id = 7")
    made.run("INSERT INTO {t} (id, value, part) VALUES (7, 7, 'b')")
    made.run("OPTIMIZE {t}")
    return made


def feature_changes(featured: Featured, since: int, until: int, **options: Any) -> ChangedRows:
    table = featured.table
    schema = spark_to_arrow_schema(table.load_rows(until).schema)
    compared = tuple(name for name in schema.names if name in ("id", "x", "value"))
    snapshot = Snapshot(table.ref, table.id, until, schema, tuple(schema.names), ("id",))
    return find_changed_rows(table, snapshot, ChangeRange(table.id, since, until), compare=compared, **options)


def assert_difference(featured: Featured, found: ChangedRows, since: int, until: int) -> None:
    before, after = featured.states[since], featured.states[until]
    changed = sorted((key, value) for key, value in after.items() if key not in before or before[key] != value)
    assert [row[:2] for row in rows_of(found.rows)] == changed
    assert rows_of(found.deleted) == sorted((key,) for key in before if key not in after)


@pytest.mark.parametrize("by_spark", [False, True], ids=["driver", "tasks"])
def test_vectors_mapped_columns_renames_and_a_feed_from_the_middle_on(featured: Featured, by_spark: bool) -> None:
    newest = max(featured.states)
    for since, until in ((1, newest), (1, 3), (3, 6), (7, newest), (newest - 1, newest), (3, 4)):
        found = feature_changes(featured, since, until, by_spark=by_spark)
        assert found.way == ("tasks read the changed files" if by_spark else "the driver read the changed files")
        assert_difference(featured, found, since, until)


@pytest.mark.slow
def test_where_only_spark_reads_the_log_it_gives_the_same(featured: Featured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ScanUnsupported("a log of another kind", "a folder")

    monkeypatch.setattr(changed_rows, "plan_change_scans", refuse)
    newest, turned_on = max(featured.states), 6
    fed, compared = feature_changes(featured, turned_on, newest), feature_changes(featured, 4, newest)
    assert fed.way == "Spark read the change data feed: a log of another kind"
    assert compared.way == "Spark compared both versions: a log of another kind"
    assert_difference(featured, fed, turned_on, newest)
    assert_difference(featured, compared, 4, newest)


def test_rows_that_leave_the_filter_are_deleted_and_those_that_enter_it_inserted(
    spark: SparkSession, tmp_path: Path
) -> None:
    history = History(str(tmp_path / "t"), feed=True)
    history.begin()
    history.update([0], 3.0)
    history.update([3], 0.0)
    history.update([2], 2.5)
    table = Table(spark, TableRef("t", history.folder))
    for by_spark in (False, True):
        found = changes_of(table, 0, 3, where=[Condition("x", ">=", 2)], by_spark=by_spark)
        assert ([row[0] for row in rows_of(found.rows)], rows_of(found.deleted)) == ([0, 2], [(3,)])


def test_a_range_that_cannot_be_told_is_an_error_with_its_gap_and_the_way_out(tmp_path: Path) -> None:
    history = History(str(tmp_path / "t"), feed=False)
    history.begin()
    history.update([0], 3.0)
    history.insert([5], 1.0)
    table, log = Table(None, TableRef("t", history.folder)), tmp_path / "t" / "_delta_log"
    for file in (tmp_path / "t").glob("*.parquet"):
        if file.name not in {Path(one).name for one in DeltaTable(history.folder).file_uris()}:
            file.unlink()
    with pytest.raises(VersionGone, match=r"which the changes \(0, 2\] need, is gone") as gone:
        changes_of(table, 0, 2)
    assert "--full" in gone.value.do
    assert rows_of(changes_of(table, 1, 2).rows) == [(5, 1.0, "b")]
    DeltaTable(history.folder).create_checkpoint()
    (log / f"{1:020}.json").unlink()
    with pytest.raises(VersionGone, match="no longer holds the commit of version 1"):
        changes_of(table, 0, 2)


def test_a_key_that_is_inserted_twice_is_there_twice_for_the_gate_to_find(tmp_path: Path) -> None:
    history = History(str(tmp_path / "t"), feed=False)
    history.begin()
    history.update([0], 3.0)
    for _ in range(2):
        write_deltalake(history.folder, History.to_table({7: (1.0, "b")}), mode="append")
    found = changes_of(Table(None, TableRef("t", history.folder)), 0, 3)
    assert [row[0] for row in rows_of(found.rows)] == [0, 7, 7]


def test_only_the_files_of_the_range_are_opened(tmp_path: Path) -> None:
    history = History(str(tmp_path / "t"), feed=False)
    history.begin()
    history.insert([5], 1.0)
    history.optimize()
    history.insert([6], 1.0)
    table = Table(None, TableRef("t", history.folder))
    snapshot = Snapshot(table.ref, table.id, 3, COLUMNS, tuple(COLUMNS.names), ("id",))

    def count_splits(since: int, until: int) -> list[int]:
        scans = plan_change_scans(table, snapshot, ChangeRange(table.id, since, until))
        return [len(scan.splits) for scan in scans]

    assert [count_splits(1, 2), count_splits(1, 3), count_splits(2, 3)] == [[], [1], [1]]
    assert count_splits(0, 3) == [1, 1]
    brought = json.loads((tmp_path / "t/_delta_log" / f"{1:020}.json").read_text().splitlines()[-1])["add"]["path"]
    (tmp_path / "t" / brought).unlink()
    assert count_splits(0, 3) == [1, 1, 1]  # what OPTIMIZE has made, less what it was made of
    assert [row[0] for row in rows_of(changes_of(table, 0, 3).rows)] == [5, 6]
