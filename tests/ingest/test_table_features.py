# ruff: noqa: S608 - the statements are the test's own
"""Tables with Delta's features are scanned, and give what Spark gives: after deletes, renames, other types, clones."""

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.table_features import refuse_unscanned_features
from sparkscore.records import Condition, TableRef
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.settable_conf import override_setting
from tests.ingest.parity import assert_reads_as_spark, pin, read_scan
from tests.ingest.vectors import TO_Z85

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    """Files of many row groups: of a hundred rows."""
    session = create_run_session(spark)
    session.conf.set("parquet.block.size", "1024")
    return session


def create(spark: SparkSession, folder: Path, columns: str, more: str = "", **properties: object) -> str:
    """An empty table; its name in SQL."""
    name = f"delta.`{folder}`"
    pairs = ", ".join(f"'delta.{key}' = '{str(value).lower()}'" for key, value in properties.items())
    spark.sql(f"create table {name} ({columns}) using delta {more}" + (f" tblproperties ({pairs})" if pairs else ""))
    return name


def insert(spark: SparkSession, folder: Path, *rows: str) -> None:
    """One file with the rows of these queries."""
    frame = spark.sql(" union all ".join(rows))
    frame.coalesce(1).write.format("delta").mode("append").save(str(folder))


def edit_newest_commit(folder: Path, edit: Edit) -> None:
    """Changes the deletion vectors that the newest commit adds, and forgets its checksum file."""
    log = max((folder / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "deletionVector" in action.get("add", {}):
            edit(action["add"]["deletionVector"])
    log.write_text("\n".join(json.dumps(action) for action in actions))
    for stale in (folder / "_delta_log").glob("*.crc"):
        stale.unlink()
    for stale in (folder / "_delta_log").glob(".*.crc"):
        stale.unlink()


@pytest.fixture(scope="module")
def deleted(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 150,000 rows: some deleted, then a long run of them, and another file with few."""
    folder = tmp_path_factory.mktemp("deleted") / "a table"
    name = create(session, folder, "id long, x double, s string", enableDeletionVectors=True)
    rows = "id, if(id % 11 = 0, null, id * 0.5D) x, concat('s', id % 100) s"
    with override_setting(session, "parquet.block.size", "65536"):  # fifty row groups are many enough
        insert(session, folder, f"select {rows} from range(150000)")
    insert(session, folder, f"select {rows} from range(150000, 150300)")
    session.sql(f"delete from {name} where id % 7 = 3")
    session.sql(f"delete from {name} where id between 70000 and 140000 or id = 150299")
    return folder


class TestDeletionVectors:
    def test_deleted_rows_are_left_out_however_a_file_is_cut(self, session: SparkSession, deleted: Path) -> None:
        found = assert_reads_as_spark(session, pin(session, deleted), target=100_000)
        assert found.num_rows == 68_827
        assert len(plan_file_scan(session, pin(session, deleted), target=100_000).splits) > 3

    def test_an_older_version_has_the_rows_that_were_deleted_later(self, session: SparkSession, deleted: Path) -> None:
        assert assert_reads_as_spark(session, pin(session, deleted, version=3)).num_rows > 128_000
        assert plan_file_scan(session, pin(session, deleted, version=2)).rows == 150_300

    def test_a_filter_is_met_by_rows_that_are_left(self, session: SparkSession, deleted: Path) -> None:
        few = Condition("id", ">", 150_200)
        assert plan_file_scan(session, pin(session, deleted, few)).pruned == 1
        assert assert_reads_as_spark(session, pin(session, deleted, few)).num_rows == 84
        assert_reads_as_spark(session, pin(session, deleted, Condition("x", "is null", None), columns=["id"]))

    def test_vectors_in_the_log_are_read(self, session: SparkSession, tmp_path: Path) -> None:
        name = create(session, tmp_path / "t", "id long", enableDeletionVectors=True)
        insert(session, tmp_path / "t", "select id from range(500)")
        session.sql(f"delete from {name} where id % 100 = 3 or id < 7")

        def put_inline(vector: dict[str, Any]) -> None:
            file = next((tmp_path / "t").glob("deletion_vector_*.bin")).read_bytes()
            data = file[vector["offset"] + 4 :][: vector["sizeInBytes"]]
            text = base64.b85encode(data, pad=True).translate(TO_Z85).decode()
            vector.pop("offset")
            vector |= {"storageType": "i", "pathOrInlineDv": text}

        edit_newest_commit(tmp_path / "t", put_inline)
        assert assert_reads_as_spark(session, pin(session, tmp_path / "t")).num_rows == 489

    def test_a_shallow_clone_has_the_files_and_vectors_of_another_table(
        self, session: SparkSession, deleted: Path, tmp_path: Path
    ) -> None:
        clone = tmp_path / "a clone"
        session.sql(f"create table delta.`{clone}` shallow clone delta.`{deleted}`")
        session.sql(f"delete from delta.`{clone}` where id < 10")
        insert(session, clone, "select 1L id, 1D x, 'own' s")
        assert_reads_as_spark(session, pin(session, clone))

    @pytest.mark.slow  # `store.log_replay` has its own tests of checkpoints
    @pytest.mark.parametrize("policy", ["classic", "v2"])
    def test_a_checkpoint_has_them_too(self, session: SparkSession, tmp_path: Path, policy: str) -> None:
        name = create(
            session,
            tmp_path / "t",
            "id long",
            enableDeletionVectors=True,
            checkpointPolicy=policy,
            checkpointInterval=3,
        )
        for first in (0, 200):
            insert(session, tmp_path / "t", f"select id from range({first}, {first + 200})")
            session.sql(f"delete from {name} where id % 9 = {first // 200}")
        session.sql(f"restore table {name} to version as of 3")
        assert [*(tmp_path / "t" / "_delta_log").glob("*.checkpoint*")]
        assert_reads_as_spark(session, pin(session, tmp_path / "t"))
        assert_reads_as_spark(session, pin(session, tmp_path / "t", version=4))


def corrupt(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    file.write_bytes(bytes(data))


@pytest.fixture(scope="module")
def two_deleted(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 50 rows, two of them deleted."""
    folder = tmp_path_factory.mktemp("two") / "t"
    name = create(session, folder, "id long", enableDeletionVectors=True)
    insert(session, folder, "select id from range(50)")
    session.sql(f"delete from {name} where id in (3, 9)")
    return folder


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (corrupt, "another checksum"),
        (lambda file: file.write_bytes(file.read_bytes()[:-3]), "no 36 bytes where the table's log says so"),
        (Path.unlink, "is gone"),
    ],
)
def test_a_deletion_vector_that_cannot_be_trusted_is_named_and_nothing_is_read(
    session: SparkSession, two_deleted: Path, damage: Callable[[Path], object], why: str
) -> None:
    scan = plan_file_scan(session, pin(session, two_deleted))
    (file,) = two_deleted.glob("deletion_vector_*.bin")
    content = file.read_bytes()
    try:
        damage(file)
        with pytest.raises(ConfigError, match=f"deletion vector {file.name} of the data file part-.* {why}") as refused:
            read_scan(scan)
        assert "score" in refused.value.do
    finally:
        file.write_bytes(content)


def test_a_vector_of_other_rows_than_the_log_says_is_refused(
    session: SparkSession, two_deleted: Path, tmp_path: Path
) -> None:
    table = pin(session, two_deleted)
    shutil.copytree(two_deleted, tmp_path / "t")
    edit_newest_commit(tmp_path / "t", lambda vector: vector.update(cardinality=3))
    with pytest.raises(ConfigError, match="2 rows, and the table's log says 3"):
        read_scan(plan_file_scan(session, replace(table, table=TableRef("t", str(tmp_path / "t")))))


class TestColumnMapping:
    @pytest.mark.parametrize("mode", [pytest.param("name", marks=pytest.mark.slow), "id"])
    def test_renamed_dropped_and_added_columns_are_found(
        self, session: SparkSession, tmp_path: Path, mode: str
    ) -> None:
        folder = tmp_path / "t"
        columns = (
            "id long, a int, b int, s struct<p: int, q: string>, l array<struct<v: int>>, m map<string, struct<w: int>>"
        )
        name = create(session, folder, f"{columns}, day string", "partitioned by (day)", **{"columnMapping.mode": mode})
        nested = "named_struct('p', 4, 'q', 'x') s, array(named_struct('v', 5)) l, map('k', named_struct('w', 6)) m"
        insert(session, folder, f"select 1L id, 2 a, 3 b, {nested}, 'x' day")
        before = pin(session, folder)
        for change in (
            "rename column a to `b c, {d}`",
            "rename column b to a",
            "rename column s.p to r",
            "rename column s.q to p",
            "rename column l.element.v to u",
            "drop column m",
            "rename column day to `the day`",
        ):
            session.sql(f"alter table {name} {change}")
        session.sql(f"alter table {name} add columns (m map<string, struct<w: int>>, s.q string, l.element.v int)")
        session.sql(
            f"insert into {name} (id, a, `b c, {{d}}`, s, l, m, `the day`) values (9, 8, 7,"
            " named_struct('r', 6, 'p', 'y', 'q', 'z'), array(named_struct('u', 5, 'v', 4)),"
            " map('k', named_struct('w', 3)), 'y')"
        )
        found = assert_reads_as_spark(session, pin(session, folder))
        assert {row["id"]: (row["a"], row["m"]) for row in found.to_pylist()} == {
            1: (3, None),
            9: (8, [("k", {"w": 3})]),
        }
        for condition in (Condition("b c, {d}", "<", 5), Condition("the day", "=", "x")):
            assert plan_file_scan(session, pin(session, folder, condition)).pruned == 1
            assert assert_reads_as_spark(session, pin(session, folder, condition)).num_rows == 1
        assert read_scan(plan_file_scan(session, before)).to_pylist()[0]["a"] == 2
        with pytest.raises(ConfigError, match=r"no key day \(nearest: the day\)"):
            pin(session, folder, keys=["day"], columns=["id"])

    def test_a_file_without_ids_is_left_to_spark(self, session: SparkSession, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        create(session, tmp_path / "t", "id long", **{"columnMapping.mode": "id"})
        insert(session, tmp_path / "t", "select 1L id")
        scan = plan_file_scan(session, pin(session, tmp_path / "t"))
        (file,) = (tmp_path / "t").rglob("*.parquet")
        pq.write_table(pa.table({"id": [1]}), file)
        with pytest.raises(ScanUnsupported, match="no ids of its columns"):
            read_scan(scan)


def test_values_of_narrower_types_are_widened_as_spark_widens_them(session: SparkSession, tmp_path: Path) -> None:
    kinds = {
        "b": ("byte", "bigint"), "h": ("smallint", "int"), "i": ("int", "bigint"), "f": ("float", "double"),
        "bd": ("byte", "double"), "id_": ("int", "double"), "m": ("decimal(5,2)", "decimal(12,4)"),
        "im": ("int", "decimal(12,2)"), "lm": ("bigint", "decimal(25,4)"), "d": ("date", "timestamp_ntz"),
    }  # fmt: skip
    columns = ", ".join(f"{name} {old}" for name, (old, _) in kinds.items())
    folder = tmp_path / "t"
    columns = f"id long, {columns}, s struct<n: smallint>, l array<int>"
    name = create(session, folder, columns, enableTypeWidening=True, **{"feature.timestampNtz": "supported"})
    nested = "named_struct('n', 3), array(1, null)"
    rows = (
        "1, -128, -32768, -2147483648, float(0.1), 127, 2147483647, 999.99, -7, 9007199254740993, date'1582-10-15'",
        "2, 1, 2, 3, float('nan'), 4, 5, -0.01, 6, 7, date'9999-12-31'",
        "3, null, null, null, null, null, null, null, null, null, null",
    )
    session.sql(f"insert into {name} values {', '.join(f'({row}, {nested})' for row in rows)}")
    for column, (_, new) in [*kinds.items(), ("s.n", ("", "int")), ("l.element", ("", "bigint"))]:
        session.sql(f"alter table {name} alter column {column} type {new}")
    last = "timestamp_ntz'2020-01-01 01:02:03', named_struct('n', 99999), array(3)"
    session.sql(f"insert into {name} select 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, {last}")
    assert_reads_as_spark(session, pin(session, folder))
    for condition in (
        Condition("b", "<", 0),
        Condition("m", ">", "999.9"),
    ):
        assert_reads_as_spark(session, pin(session, folder, condition, columns=["id"]))
    with pytest.raises(ScanUnsupported, match="filter's column f was widened from float"):
        plan_file_scan(session, pin(session, folder, Condition("f", ">", 0.1)))


def test_partitions_of_times_floats_and_bytes_come_from_the_log(session: SparkSession, tmp_path: Path) -> None:
    columns = "id long, t timestamp, n timestamp_ntz, f float, d double, b binary"
    create(session, tmp_path / "t", columns, "partitioned by (t, n, f, d, b)")
    insert(
        session,
        tmp_path / "t",
        "select 1L id, timestamp'2020-01-01 00:00:00.123456' t, timestamp_ntz'1500-01-01 01:01:01' n, float('nan') f,"
        " -0.0D d, X'ff41' b",
        "select 2L, null, null, null, null, null",
        "select 3L, timestamp'1883-01-01 10:00:00', timestamp_ntz'9999-12-31 23:59:59.999999', float(0.1), 1e-300D,"
        " X'41'",
        "select 4L, timestamp'2020-01-01', timestamp_ntz'1969-12-31', float('-infinity'), double('infinity'), X'c3bc'",
    )
    assert_reads_as_spark(session, pin(session, tmp_path / "t"))
    assert_reads_as_spark(session, pin(session, tmp_path / "t", Condition("t", ">=", "2020-01-01T00:00:00Z")))
    assert_reads_as_spark(session, pin(session, tmp_path / "t", Condition("f", ">", 0.0), columns=["id", "b"]))


def test_structs_in_lists_and_maps_get_the_fields_that_were_added(session: SparkSession, tmp_path: Path) -> None:
    name = create(
        session, tmp_path / "t", "id long, l array<struct<a: int>>, m map<int, struct<b: array<struct<c: int>>>>"
    )
    row = "map(1, named_struct('b', array(named_struct('c', 2), null)), 2, null)"
    insert(
        session,
        tmp_path / "t",
        f"select 1L id, array(named_struct('a', 1), null, named_struct('a', null)) l, {row} m",
        "select 2L, null, null",
        "select 3L, array(), map()",
    )
    session.sql(f"alter table {name} add columns (l.element.z string, m.value.b.element.y double)")
    last = "map(3, named_struct('b', array(named_struct('c', 1, 'y', 0.5D))))"
    session.sql(f"insert into {name} values (4, array(named_struct('a', 1, 'z', 'z')), {last})")
    assert_reads_as_spark(session, pin(session, tmp_path / "t"))
    assert_reads_as_spark(session, pin(session, tmp_path / "t", Condition("id", ">", 1)))


@pytest.mark.slow
def test_features_of_writers_change_nothing(session: SparkSession, tmp_path: Path) -> None:
    columns = (
        "id long, g long generated always as (id * 2), i bigint generated always as identity, d int default 7, c int"
    )
    properties = {"enableInCommitTimestamps": True, "enableRowTracking": True, "enableDeletionVectors": True}
    name = create(
        session, tmp_path / "t", columns, "cluster by (c)", **properties, **{"feature.allowColumnDefaults": "supported"}
    )
    for key in (1, 2):
        session.sql(f"insert into {name} (id, c) select id, id from range({key * 100}, {key * 100 + 50})")
    session.sql(f"update {name} set c = 5 where id % 10 = 1")
    session.sql(f"delete from {name} where id % 10 = 2")
    session.sql(f"optimize {name}")
    session.sql(f"delete from {name} where id % 10 = 3")
    assert assert_reads_as_spark(session, pin(session, tmp_path / "t")).num_rows == 80


@pytest.mark.parametrize(
    ("protocol", "why"),
    [
        ({"minReaderVersion": 3, "readerFeatures": ["catalogManaged", "deletionVectors"]}, "catalogManaged"),
        ({"minReaderVersion": 4}, "version 4"),
        ({"minReaderVersion": 1, "writerFeatures": ["collations-preview"]}, "collations-preview"),
    ],
)
def test_features_that_are_not_known_are_refused_by_name(protocol: dict[str, Any], why: str) -> None:
    with pytest.raises(ScanUnsupported, match=f"needs a reader of {why}"):
        refuse_unscanned_features(protocol)


def test_a_column_of_a_type_that_arrow_lacks_does_not_matter_where_it_is_not_read(
    session: SparkSession, tmp_path: Path
) -> None:
    create(session, tmp_path / "t", "id long, v variant")
    insert(session, tmp_path / "t", "select 1L id, parse_json('{}') v")
    assert_reads_as_spark(session, pin(session, tmp_path / "t", columns=["id"]))
