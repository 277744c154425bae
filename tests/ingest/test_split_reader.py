"""The scan reads what Spark reads: every type, every way a file may differ from its table; else it says why not."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import AccessDenied, ConfigError, ScanUnsupported
from sparkscore.ingest.deletion_vectors import DELETION_VECTOR_COLUMN
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.file_ranges import (
    MAX_SPLIT_BYTES,
    MIN_SPLIT_BYTES,
    OPEN_COST_BYTES,
    build_file_splits,
    target_bytes,
)
from sparkscore.ingest.snapshot import snapshot_frame
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.predicates.arrow_filter import evaluate_arrow_conditions
from sparkscore.predicates.spark_filter import to_arrow_conditions, to_spark_filter
from sparkscore.records import Condition, Snapshot, TableRef
from sparkscore.spark.isolated_session import create_run_session
from tests.examples import examples, more_examples_in_slow
from tests.ingest.parity import assert_reads_as_spark, pin, read_scan, rows_by_id
from tests.ingest.vectors import inline_vector

NAN, INF = float("nan"), float("inf")
wall = datetime.fromisoformat

TYPES = """id long, tiny byte, small short, whole int, big long, single float, twice double, text string, raw binary,
 yes boolean, day date, moment timestamp, wall timestamp_ntz, money decimal(12,2), huge decimal(38,10),
 numbers array<double>, words array<string>, deep array<array<int>>, pair struct<a: long, b: string>,
 nest struct<p: struct<q: double>, when: timestamp>, book map<string, int>"""

ROWS: Sequence[Sequence[Any]] = [
    [1, -128, -32768, -(2**31), 2**53 + 1, 0.1, 0.1, "ü", b"\x00\xff", True, date(1582, 10, 15),
     datetime(1900, 1, 1, tzinfo=UTC), wall("2013-01-01T00:00:00.000001"), Decimal("1.10"), Decimal("1E-10"),
     [1.0, None, NAN], ["a", None], [[1], None, []], (2**53 + 1, "x"), ((0.5,), datetime(2020, 2, 29, tzinfo=UTC)),
     {"a": 1, "b": None}],
    [2, 127, 32767, 2**31 - 1, -(2**63), NAN, NAN, "", b"", False, date(9999, 12, 31),
     datetime(2262, 4, 12, tzinfo=UTC), wall("9999-12-31"), Decimal("-9999999999.99"), Decimal(-1),
     [], [], [], (None, None), (None, None), {}],
    [3, 0, 0, 0, 0, -0.0, -0.0, "a.b `c`", b"x", None, date(1970, 1, 1),
     datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), wall("1969-12-31"), Decimal(0), Decimal(0),
     [INF, -INF], ["é" * 50], [[None]], (1, None), ((None,), None),
     {"": 0}],
    [4, *[None] * 20],
]  # fmt: skip


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    return create_run_session(spark)


RANGE_ROWS = (1_000, 0, 700, 64)
"""Rows of the ranges of `cut_split`; the second holds the middle of no row group."""
DELETED_ROWS = ([*range(300), *range(301, 1_000, 5)], [0], [*range(250, 600)], None)
"""Of the files of `cut_split` where it has deletion vectors: the first row group has none left."""


@pytest.fixture(scope="module", params=["plain", "deleted"])
def cut_split(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ParquetSplitReader, bytes]:
    """A split of four ranges of three files, the first of which has row groups of 300 rows; the filter keeps thirds."""
    folder, first, listing = tmp_path_factory.mktemp("cut"), 0, []
    for number, rows in enumerate(RANGE_ROWS):
        path = folder / f"{number}.parquet"
        ids = np.arange(first, first + max(rows, 1))
        pq.write_table(pa.table({"id": ids, "third": ids % 3}), path, row_group_size=300)
        size, deleted = path.stat().st_size, DELETED_ROWS[number] if request.param == "deleted" else None
        vector = None if deleted is None else inline_vector(deleted)
        cut = {"path": path.name, "size_bytes": size, "start": 0, "length": size if rows else 1}
        listing.append({**cut, DELETION_VECTOR_COLUMN: vector})
        first += rows
    schema = pa.schema([("id", pa.int64()), ("third", pa.int64())])
    where = to_arrow_conditions([Condition("third", "=", 0)], schema)
    return ParquetSplitReader(str(folder), None, schema, 1, (), where), serialize_split(pa.Table.from_pylist(listing))


def live_ids(split: bytes) -> list[int]:
    """The ids of `cut_split` that are not deleted."""
    vectors = pa.ipc.open_stream(split).read_all()[DELETION_VECTOR_COLUMN].null_count < len(RANGE_ROWS)
    ends = [sum(RANGE_ROWS[:number]) for number in range(len(RANGE_ROWS) + 1)]
    return [
        first + row
        for first, rows, deleted in zip(ends, RANGE_ROWS, DELETED_ROWS, strict=False)
        for row in range(rows)
        if not (vectors and deleted and row in deleted)
    ]


class TestParity:
    def test_every_type_is_read_exactly_as_spark_reads_it(self, session: SparkSession, tmp_path: Path) -> None:
        session.createDataFrame(ROWS, TYPES).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        assert assert_reads_as_spark(session, pin(session, tmp_path / "t")).num_rows == 4

    def test_times_that_are_written_as_int96_and_as_microseconds_are_the_same(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        for kind in ("INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"):
            session.conf.set("spark.sql.parquet.outputTimestampType", kind)
            rows = session.createDataFrame([[kind, datetime(2013, 3, 10, 2, 30, tzinfo=UTC)]], "id string, t timestamp")
            rows.coalesce(1).write.format("delta").mode("append").save(str(tmp_path / "t"))
        session.conf.unset("spark.sql.parquet.outputTimestampType")
        assert_reads_as_spark(session, pin(session, tmp_path / "t"))

    def test_columns_and_fields_that_were_added_later_are_null_in_older_files(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        folder = str(tmp_path / "t")
        session.sql("select 1L id, named_struct('a', 1) s").write.format("delta").save(folder)
        more = session.sql("select 2L id, named_struct('a', 2, 'b', 'x') s, 7.5D later")
        more.write.format("delta").mode("append").option("mergeSchema", "true").save(folder)
        found = assert_reads_as_spark(session, pin(session, tmp_path / "t"))
        assert rows_by_id(found)[0] == {"id": 1, "s": {"a": 1, "b": None}, "later": None}

    def test_partition_values_of_each_type_come_from_the_log(self, session: SparkSession, tmp_path: Path) -> None:
        rows = [
            [1, "a b/ü=%", 7, date(2013, 1, 1), True, Decimal("1.50")],
            [2, None, None, None, None, None],
            [3, "__HIVE_DEFAULT_PARTITION__x", -1, date(1582, 10, 15), False, Decimal("-0.01")],
        ]
        made = session.createDataFrame(rows, "id long, s string, n int, d date, b boolean, m decimal(5,2)")
        made.write.format("delta").partitionBy("s", "n", "d", "b", "m").save(str(tmp_path / "t"))
        assert_reads_as_spark(session, pin(session, tmp_path / "t"))
        assert_reads_as_spark(session, pin(session, tmp_path / "t", Condition("n", ">", 0)))
        assert_reads_as_spark(session, pin(session, tmp_path / "t", columns=["s", "n"], keys=["n"]))

    def test_names_with_dots_spaces_and_quotes_are_names(self, session: SparkSession, tmp_path: Path) -> None:
        table = pa.table({"id": [1], "a.b": [2.0], "a": [{"b": 3}], "ü'": [4.0]})
        write_deltalake(str(tmp_path / "t"), table)
        assert_reads_as_spark(session, pin(session, tmp_path / "t"))

    def test_files_of_other_writers_are_read_as_spark_reads_them(self, session: SparkSession, tmp_path: Path) -> None:
        table = pa.table(
            {
                "id": pa.array([1, 2], pa.int64()),
                "s": pa.array(["a", None], pa.large_string()),
                "c": pa.array(["x", "x"]).dictionary_encode(),
                "t": pa.array([0, None], pa.timestamp("us", tz="Europe/Berlin")),
                "l": pa.array([[1], None], pa.large_list(pa.int32())),
            }
        )
        write_deltalake(str(tmp_path / "t"), table)
        assert_reads_as_spark(session, pin(session, tmp_path / "t"))

    def test_the_pinned_version_is_read_whatever_came_after(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(5).write.format("delta").save(str(tmp_path / "t"))
        snapshot = pin(session, tmp_path / "t")
        session.range(100, 109).write.format("delta").mode("overwrite").save(str(tmp_path / "t"))
        assert sorted(read_scan(plan_file_scan(session, snapshot)).column("id").to_pylist()) == [0, 1, 2, 3, 4]

    def test_an_empty_table_has_no_split(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(0).write.format("delta").save(str(tmp_path / "t"))
        assert plan_file_scan(session, pin(session, tmp_path / "t")).splits == ()


FILTERS = st.one_of(
    st.tuples(
        st.sampled_from(["d", "f"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from([0.0, -0.0, 0.5, -1.5, 2.0]),
    ),
    st.tuples(st.just("d"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.just(1e300)),  # too large for f
    st.tuples(st.just("d"), st.sampled_from(["in", "not in"]), st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=1)),
    st.tuples(st.just("n"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.integers(-3, 3)),
    st.tuples(st.just("n"), st.sampled_from(["in", "not in"]), st.lists(st.integers(-3, 3), min_size=1, max_size=12)),
    st.tuples(st.just("s"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.sampled_from(["", "a", "é", "z"])),
    st.tuples(st.just("day"), st.sampled_from(["=", "<", ">="]), st.sampled_from(["1582-10-15", "2013-06-01"])),
    st.tuples(st.just("t"), st.sampled_from(["=", "<", ">", ">="]), st.just("2013-06-01T00:00:00.000500Z")),
    st.tuples(st.just("m"), st.sampled_from(["=", "<", ">="]), st.sampled_from(["1.10", "0"])),
    st.tuples(st.just("b"), st.sampled_from(["=", "!=", "<", ">"]), st.booleans()),
    st.tuples(
        st.sampled_from(["d", "f", "n", "s", "day", "t", "m", "b"]),
        st.sampled_from(["is null", "is not null"]),
        st.none(),
    ),
)


@pytest.fixture(scope="module")
def many(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files of a few rows each, so that there is something to leave out."""
    folder = tmp_path_factory.mktemp("filtered") / "t"
    columns = "id long, d double, f float, n int, s string, day date, t timestamp, m decimal(6,2), b boolean"
    days = [date(1582, 10, 15), date(2013, 6, 1), date(2020, 1, 1), None]
    times = [datetime(2013, 6, 1, 0, 0, 0, micros, UTC) for micros in (499, 500, 501)]
    for file in range(12):
        rows = [
            [
                10 * file + i,
                [0.5 * file, NAN, None, -0.0][(i + file) % 4] if file % 3 else float(file),
                [0.5 * i, NAN, None, -0.0][(i + file) % 4],
                [file - 6, None][i == 1 and file % 2],
                ["", "a", "é", "zz", None][(file + i) % 5 if file % 2 else file % 5],
                days[(file + i) % 4] if file % 2 else days[file % 4],
                times[file % 3] if i else None,
                Decimal(file) / 10 if i else None,
                [True, False, None][(file + i) % 3] if file % 2 else file % 4 == 0,
            ]
            for i in range(4)
        ]
        made = session.createDataFrame(rows, columns).coalesce(1)
        made.write.format("delta").mode("append").save(str(folder))
    return folder


class TestFilters:
    @more_examples_in_slow
    @settings(
        max_examples=examples(15, slow=60),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        derandomize=True,
    )
    @given(filters=st.lists(FILTERS, min_size=1, max_size=2))
    def test_a_filter_gives_the_rows_that_spark_gives(
        self, session: SparkSession, many: Path, filters: list[tuple[str, Any, Any]]
    ) -> None:
        where = [Condition(c, op, tuple(v) if isinstance(v, list) else v) for c, op, v in filters]
        snapshot = pin(session, many, *where, columns=["id"])
        ours = sorted(row["id"] for row in read_scan(plan_file_scan(session, snapshot)).to_pylist())
        assert ours == sorted(row["id"] for row in snapshot_frame(session, snapshot).collect())

    def test_files_whose_statistics_exclude_the_filter_are_left_out(self, session: SparkSession, many: Path) -> None:
        scan = plan_file_scan(session, pin(session, many, Condition("n", "<", -4), columns=["id"]))
        assert (scan.files, scan.pruned) == (2, 10)

    def test_the_greatest_time_of_a_file_is_known_to_milliseconds_only(self, session: SparkSession, many: Path) -> None:
        late = Condition("t", ">", "2013-06-01T00:00:00.000500Z")
        assert plan_file_scan(session, pin(session, many, late, columns=["id"])).pruned < 12
        assert read_scan(plan_file_scan(session, pin(session, many, late, columns=["id"]))).num_rows == 12

    def test_partitions_that_the_filter_excludes_are_left_out(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(10).withColumn("p", F.col("id") % 5).write.format("delta").partitionBy("p").save(
            str(tmp_path / "t")
        )
        scan = plan_file_scan(session, pin(session, tmp_path / "t", Condition("p", "in", (1, 3)), columns=["id"]))
        assert {row["id"] for row in read_scan(scan).to_pylist()} == {1, 3, 6, 8}
        assert scan.pruned >= 3


def with_fixed_length(spark: SparkSession, folder: Path) -> Path:
    spark.sql(f"create table delta.`{folder}` (id long, c char(4)) using delta")
    spark.sql("select 1L id, 'ab' c").write.format("delta").mode("append").save(str(folder))
    return folder


class TestWhatIsNotSure:
    def test_a_column_of_fixed_length_which_spark_pads_is_left_to_it(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        snapshot = pin(session, with_fixed_length(session, tmp_path / "t"))
        with pytest.raises(ScanUnsupported, match="c is of fixed length"):
            plan_file_scan(session, snapshot)

    def test_a_column_of_fixed_length_that_is_not_read_does_not_matter(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        snapshot = pin(session, with_fixed_length(session, tmp_path / "t"), columns=["id"])
        assert read_scan(plan_file_scan(session, snapshot)).to_pylist() == [{"id": 1}]

    @pytest.mark.parametrize("uri", ["hdfs://host/t", "wasbs://c@a.blob.core.windows.net/t"])
    def test_other_stores_are_read_by_spark(self, session: SparkSession, tmp_path: Path, uri: str) -> None:
        session.range(1).write.format("delta").save(str(tmp_path / "t"))
        snapshot = pin(session, tmp_path / "t")
        with pytest.raises(ScanUnsupported, match="is on"):
            plan_file_scan(
                session, Snapshot(TableRef(uri, uri), snapshot.table_id, 0, snapshot.schema, ("id",), ("id",))
            )

    def test_a_table_of_an_unknown_catalog_is_read_by_spark(self, session: SparkSession) -> None:
        schema = pa.schema([("id", pa.int64())])
        with pytest.raises(ScanUnsupported, match="the catalog gives no entry"):
            plan_file_scan(session, Snapshot(TableRef("lake.t", None), "id", 0, schema, ("id",), ("id",)))

    def test_a_file_with_dates_of_the_julian_calendar_is_seen_when_it_is_opened(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        session.conf.set("spark.sql.parquet.datetimeRebaseModeInWrite", "LEGACY")
        session.sql("select 1L id, date'1500-01-01' d").coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        session.conf.unset("spark.sql.parquet.datetimeRebaseModeInWrite")
        with pytest.raises(ScanUnsupported, match="Julian"):
            read_scan(plan_file_scan(session, pin(session, tmp_path / "t")))
        assert read_scan(plan_file_scan(session, pin(session, tmp_path / "t", columns=["id"]))).num_rows == 1

    def test_a_file_of_another_type_than_its_table_is_seen_when_it_is_opened(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        session.range(3).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        file = next((tmp_path / "t").glob("*.parquet"))
        pq.write_table(pa.table({"id": ["a"]}), file)
        with pytest.raises(ScanUnsupported, match="a column of string"):
            read_scan(plan_file_scan(session, pin(session, tmp_path / "t")))

    def test_a_file_that_writes_a_column_in_another_case_is_seen(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(3).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        pq.write_table(pa.table({"ID": [1]}), next((tmp_path / "t").glob("*.parquet")))
        with pytest.raises(ScanUnsupported, match="in case"):
            read_scan(plan_file_scan(session, pin(session, tmp_path / "t")))


class TestDamage:
    def test_a_file_that_is_gone_is_named(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(3).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        scan = plan_file_scan(session, pin(session, tmp_path / "t"))
        file = next((tmp_path / "t").glob("*.parquet"))
        file.unlink()
        with pytest.raises(ConfigError, match=f"{file.name} of the pinned version is gone"):
            read_scan(scan)

    def test_a_file_that_is_cut_short_is_named(self, session: SparkSession, tmp_path: Path) -> None:
        session.range(3).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
        scan = plan_file_scan(session, pin(session, tmp_path / "t"))
        file = next((tmp_path / "t").glob("*.parquet"))
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(ConfigError, match=f"{file.name} cannot be read"):
            read_scan(scan)

    def test_a_table_that_was_made_anew_under_the_same_name_is_not_read(
        self, session: SparkSession, tmp_path: Path
    ) -> None:
        session.range(3).write.format("delta").save(str(tmp_path / "t"))
        snapshot = pin(session, tmp_path / "t")
        shutil.rmtree(tmp_path / "t")
        write_deltalake(str(tmp_path / "t"), pa.table({"id": [9]}))
        with pytest.raises(ScanUnsupported, match="another id"):
            plan_file_scan(session, snapshot)


class TestSplits:
    @settings(max_examples=200)
    @given(
        sizes=st.lists(st.integers(1, 3 * MAX_SPLIT_BYTES), min_size=1, max_size=60),
        slots=st.integers(1, 64),
    )
    def test_ranges_cover_every_byte_once_and_splits_are_balanced(self, sizes: list[int], slots: int) -> None:
        files = pa.table({"path": [str(i) for i in range(len(sizes))], "size_bytes": pa.array(sizes, pa.int64())})
        target = target_bytes(np.array(sizes), slots=slots)
        splits = build_file_splits(files, target)
        assert MIN_SPLIT_BYTES <= target <= MAX_SPLIT_BYTES
        covered = dict.fromkeys(files.column("path").to_pylist(), 0)
        for part in (row for split in splits for row in split.to_pylist()):
            assert part["start"] == covered[part["path"]]
            covered[part["path"]] += part["length"]
        assert list(covered.values()) == sizes
        work = [sum(row["length"] + OPEN_COST_BYTES for row in split.to_pylist()) for split in splits]
        assert all(0 < one <= 2 * target + 2 * OPEN_COST_BYTES for one in work)

    @pytest.mark.parametrize(("least", "expected"), [(MIN_SPLIT_BYTES, 2), (OPEN_COST_BYTES, 4)])
    def test_small_files_are_work_for_all_slots_where_a_row_costs_much(self, least: int, expected: int) -> None:
        sizes = np.full(8, 1_000)
        files = pa.table({"path": [str(i) for i in range(8)], "size_bytes": sizes})
        assert len(build_file_splits(files, target_bytes(sizes, slots=4, least=least))) == expected

    def test_a_hundred_thousand_small_files_become_a_bounded_number_of_splits(self) -> None:
        sizes = np.full(100_000, 1_000)
        files = pa.table({"path": [str(i) for i in range(100_000)], "size_bytes": sizes})
        splits = build_file_splits(files, target_bytes(sizes, slots=2))
        assert sum(split.num_rows for split in splits) == 100_000
        assert len(splits) < 1_000

    @settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_parts_that_meet_give_each_row_of_a_split_once_and_in_order(
        self, data: st.DataObject, cut_split: tuple[ParquetSplitReader, bytes]
    ) -> None:
        reading, split = cut_split
        batch_rows, filtered = data.draw(st.integers(50, 900)), data.draw(st.booleans())
        reading = replace(reading, batch_rows=batch_rows, where=reading.where if filtered else ())
        positions = [(place, row) for place, rows in enumerate(RANGE_ROWS) for row in range(rows)]
        inner = data.draw(st.lists(st.sampled_from(positions[1:]), max_size=5, unique=True).map(sorted))
        ends = [(0, 0), *inner, (len(RANGE_ROWS), 0)]
        whole = [one for batch in reading(split) for one in batch.column("id").to_pylist()]
        found = []
        for first, last in pairwise(ends):
            part = reading.read_part(split, first, last)
            for batch in part:
                assert 0 < batch.num_rows <= batch_rows
                assert 0 <= part.share_read <= 1
                assert first < part.position <= last
                found += batch.column("id").to_pylist()
            assert (part.position, part.share_read) == (last, 1.0)
        assert found == whole

    def test_batches_have_no_more_bytes_than_they_may(self, cut_split: tuple[ParquetSplitReader, bytes]) -> None:
        reading, split = cut_split
        reading = replace(reading, where=())
        whole = [one for batch in reading(split) for one in batch.column("id").to_pylist()]
        for rows, size in ((None, 4_000), (50, 1 << 30)):
            batches = list(replace(reading, batch_rows=rows, batch_bytes=size)(split))
            assert all(0 < one.num_rows <= (rows or 500) for one in batches)
            assert [one for batch in batches for one in batch.column("id").to_pylist()] == whole

    @settings(deadline=None, max_examples=20)
    @given(data=st.data())
    def test_a_reader_of_all_rows_tells_which_of_them_a_sample_has(
        self, data: st.DataObject, cut_split: tuple[ParquetSplitReader, bytes]
    ) -> None:
        reading, split = cut_split
        reading = replace(reading, batch_rows=data.draw(st.integers(50, 900)), where=())
        share = data.draw(st.floats(0.001, 0.999))
        middle = data.draw(
            st.sampled_from([(place, row) for place, rows in enumerate(RANGE_ROWS) for row in range(rows)])
        )
        parts = [reading.read_part(split, (0, 0), middle), reading.read_part(split, middle, None)]
        sampled = [
            one
            for part in parts
            for batch in part
            for first, rows in part.sample_slices(share)
            for one in batch.column("id").slice(first, rows).to_pylist()
        ]
        sample = reading.with_share(share)(split)
        assert len(sampled) >= len(live_ids(split)) * share
        assert sampled == [one for batch in sample for one in batch.column("id").to_pylist()]

    @settings(deadline=None, max_examples=20)
    @given(data=st.data())
    def test_a_part_that_is_left_in_its_middle_says_where_the_next_one_begins(
        self, data: st.DataObject, cut_split: tuple[ParquetSplitReader, bytes]
    ) -> None:
        reading, split = cut_split
        reading = replace(reading, batch_rows=data.draw(st.integers(50, 900)), where=())
        position, found, turns = (0, 0), [], 0
        while position < (len(RANGE_ROWS), 0):
            part = reading.read_part(split, position, None)
            for _, batch in zip(range(data.draw(st.integers(1, 4))), part, strict=False):
                found += batch.column("id").to_pylist()
            assert part.position > position
            position, turns = part.position, turns + 1
        assert found == live_ids(split)

    def test_row_groups_of_a_file_that_is_cut_are_read_once(self, session: SparkSession, tmp_path: Path) -> None:
        rows = pa.table({"id": np.arange(40_000), "x": np.random.default_rng(0).random(40_000)})
        write_deltalake(str(tmp_path / "t"), rows)
        file = next((tmp_path / "t").glob("*.parquet"))
        pq.write_table(rows, file, row_group_size=1_500)
        size = file.stat().st_size
        log = tmp_path / "t" / "_delta_log" / f"{0:020}.json"
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        for entry in entries:
            if "add" in entry:
                entry["add"]["size"] = size
        log.write_text("\n".join(json.dumps(entry) for entry in entries))
        snapshot = pin(session, tmp_path / "t")
        whole = plan_file_scan(session, snapshot)
        assert len(whole.splits) == 1
        listing = pa.ipc.open_stream(whole.splits[0]).read_all().drop_columns(["start", "length"])
        for pieces in (2, 7, 100):
            splits = build_file_splits(listing, -(-size // pieces) + OPEN_COST_BYTES)
            cut = [part for split in build_file_splits(listing, -(-size // pieces)) for part in split.to_pylist()]
            assert len(cut) == pieces
            assert len(splits) >= 1
            read = [
                batch.column("id")
                for split in build_file_splits(listing, -(-size // pieces))
                for batch in whole.reader(serialize_split(split))
            ]
            ids = pa.chunked_array(read).to_numpy()
            assert len(ids) == 40_000
            assert np.array_equal(np.sort(ids), np.arange(40_000))


def serialize_split(split: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, split.schema) as writer:
        writer.write_table(split)
    return bytes(sink.getvalue())


def test_batches_of_long_rows_are_cut_by_their_bytes(session: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pa.table({"id": np.arange(64), "blob": pa.array([rng.bytes(4 << 20) for _ in range(64)], pa.binary())})
    write_deltalake(str(tmp_path / "t"), rows)
    scan = plan_file_scan(session, pin(session, tmp_path / "t"))
    sizes = [batch.nbytes for split in scan.splits for batch in scan.reader(split)]
    assert len(sizes) > 3
    assert max(sizes) < 80 << 20


def test_no_condition_holds_for_every_row() -> None:
    assert evaluate_arrow_conditions((), {}, 2).to_pylist() == [True, True]


def test_conditions_of_arrow_and_of_spark_are_made_of_the_same_values() -> None:
    schema = pa.schema([("day", pa.date32())])
    where = [Condition("day", "in", ("2013-01-01", "2013-01-02"))]
    assert to_arrow_conditions(where, schema)[0].values.to_pylist() == [date(2013, 1, 1), date(2013, 1, 2)]
    assert "2013-01-01" in str(to_spark_filter(where, schema))


def test_a_file_that_may_not_be_read_is_said_to_be_so(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.range(3).coalesce(1).write.format("delta").save(str(tmp_path / "t"))
    scan = plan_file_scan(session, pin(session, tmp_path / "t"))

    def denied(*_: object, **__: object) -> Any:
        raise PermissionError

    monkeypatch.setattr("sparkscore.ingest.split_reader.pq.ParquetFile", denied)  # root may read everything
    with pytest.raises(AccessDenied, match="no access"):
        read_scan(scan)
