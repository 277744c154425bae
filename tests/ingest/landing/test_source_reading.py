"""Rows and columns of sources without versions, by Spark's own readers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from pyspark.sql import SparkSession
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.ingest.landing.reading_errors import translate_reading_errors
from sparkscore.ingest.landing.source_reading import read_source_columns, read_source_rows
from sparkscore.records import CORRUPT_COLUMN, Condition, TableRef, UnversionedSource

HEADER, ROWS = "id,carrier,x1\n", "1,AA,0.5\n2,UA,1.5\n"
ROW_1, ROW_2 = (1, "AA", 0.5), (2, "UA", 1.5)


def source_of(path: Path | str, format_: str, **given: Any) -> UnversionedSource:
    name = str(path)
    return UnversionedSource(format_, TableRef(name, name if "/" in name else None), **given)


def read(spark: SparkSession, source: UnversionedSource, pinned: StructType | None = None) -> list[tuple[Any, ...]]:
    columns = read_source_columns(spark, source, pinned=lambda: pinned)
    with translate_reading_errors(source):
        return sorted((tuple(row) for row in read_source_rows(spark, source, columns).collect()), key=str)


PINNED = StructType(
    [StructField("id", LongType()), StructField("carrier", StringType()), StructField("x1", DoubleType())]
)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(HEADER + ROWS)
    return tmp_path


class TestCsv:
    def test_types_are_inferred_once_and_whole_numbers_are_long(self, spark: SparkSession, csv: Path) -> None:
        found = read_source_columns(spark, source_of(csv, "csv"), pinned=lambda: None)
        assert found.schema.simpleString() == "struct<id:bigint,carrier:string,x1:double>"

    def test_what_does_not_fit_the_pinned_types_is_text_without_values(self, spark: SparkSession, csv: Path) -> None:
        (csv / "a.csv").write_text(HEADER + ROWS + "3,DL,none\n4,D")
        corrupt = [(None, None, None, "3,DL,none"), (None, None, None, "4,D")]
        assert read(spark, source_of(csv, "csv"), PINNED) == [(*ROW_1, None), (*ROW_2, None), *corrupt]

    def test_a_filter_keeps_what_is_no_record(self, spark: SparkSession, csv: Path) -> None:
        (csv / "a.csv").write_text(HEADER + ROWS + "3,D")
        source = source_of(csv, "csv", where=(Condition("id", ">", 1),))
        assert read(spark, source, PINNED) == [(*ROW_2, None), (None, None, None, "3,D")]

    def test_columns_are_found_by_name_and_new_ones_are_left_out(self, spark: SparkSession, csv: Path) -> None:
        (csv / "a.csv").write_text("x1,new,id,carrier\n0.5,z,1,AA\n")
        assert read(spark, source_of(csv, "csv"), PINNED) == [(*ROW_1, None)]
        assert read_source_columns(spark, source_of(csv, "csv"), pinned=lambda: PINNED).left_out == ("new",)

    @pytest.mark.parametrize("other", ["carrier,id,x1\nAA,9,0.5\n", "id;carrier;x1\n9;AA;0.5\n"])
    def test_files_with_another_header_than_the_first_are_refused(
        self, spark: SparkSession, csv: Path, other: str
    ) -> None:
        (csv / "b.csv").write_text(other)
        with pytest.raises(ConfigError, match="first line does not name"):
            read(spark, source_of(csv, "csv"), PINNED)

    def test_another_delimiter_than_before_is_refused_with_the_option_that_says_it(
        self, spark: SparkSession, csv: Path
    ) -> None:
        (csv / "a.csv").write_text((HEADER + ROWS).replace(",", ";"))
        with pytest.raises(ConfigError, match="sep"):
            read(spark, source_of(csv, "csv"), PINNED)
        assert read(spark, source_of(csv, "csv", options={"sep": ";"}), PINNED) == [(*ROW_1, None), (*ROW_2, None)]

    def test_without_a_header_the_declared_columns_are_those_of_the_places(
        self, spark: SparkSession, csv: Path
    ) -> None:
        (csv / "a.csv").write_text(ROWS)
        source = source_of(csv, "csv", options={"header": "false"}, declared="id bigint, carrier string, x1 double")
        assert read(spark, source) == [(*ROW_1, None), (*ROW_2, None)]


class TestOtherFiles:
    def test_json_that_is_torn_is_text(self, spark: SparkSession, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text('{"id": 1, "x1": 0.5}\n{"id": 2, "x1"\n')
        rows = read(spark, source_of(tmp_path, "json"))
        assert rows == [(1, 0.5, None), (None, None, '{"id": 2, "x1"')]
        found = read_source_columns(spark, source_of(tmp_path, "json"), pinned=lambda: None)
        assert CORRUPT_COLUMN not in found.schema.names

    @pytest.mark.parametrize("format_", ["parquet", "orc"])
    def test_columnar_files_keep_their_types_and_may_have_new_columns(
        self, spark: SparkSession, tmp_path: Path, format_: str
    ) -> None:
        table = pa.table({"id": [2, 1], "carrier": ["UA", "AA"], "x1": [1.5, 0.5], "new": [1, 2]})
        (pq if format_ == "parquet" else orc).write_table(table, tmp_path / "a")
        assert read(spark, source_of(tmp_path, format_), PINNED) == [ROW_1, ROW_2]
        source = source_of(tmp_path, format_, where=(Condition("id", "=", 2),))
        assert read(spark, source, PINNED) == [ROW_2]

    @pytest.mark.parametrize(
        ("names", "words"),
        [(["id", "carrier", "x2"], "no column x1"), (["x1", "carrier", "id"], "id is double, not bigint")],
    )
    def test_columns_that_are_missing_or_of_another_type_are_refused(
        self, spark: SparkSession, tmp_path: Path, names: list[str], words: str
    ) -> None:
        pq.write_table(pa.table([[1], ["AA"], [0.5]], names), tmp_path / "a")
        with pytest.raises(ConfigError, match=words):
            read(spark, source_of(tmp_path, "parquet"), PINNED)

    def test_a_filter_reaches_the_reader(self, spark: SparkSession, tmp_path: Path) -> None:
        pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "a")
        source = source_of(tmp_path, "parquet", where=(Condition("id", ">", 1),))
        frame = read_source_rows(spark, source, read_source_columns(spark, source, pinned=lambda: None))
        assert "PushedFilters: [IsNotNull(id), GreaterThan(id,1)]" in frame._jdf.queryExecution().toString()

    def test_files_that_are_none_of_the_format_are_refused(self, spark: SparkSession, tmp_path: Path) -> None:
        (tmp_path / "a.parquet").write_text("no parquet")
        with pytest.raises(ConfigError, match="cannot be read as its columns"):
            read(spark, source_of(tmp_path, "parquet"))

    def test_nothing_and_an_empty_folder_are_told_apart(self, spark: SparkSession, tmp_path: Path) -> None:
        with pytest.raises(TableNotFound, match="there is nothing at"):
            read(spark, source_of(tmp_path / "absent", "csv"))
        with pytest.raises(ConfigError, match="holds no file"):
            read(spark, source_of(tmp_path, "parquet"))


@pytest.fixture
def catalog(spark: SparkSession, tmp_path: Path) -> Iterator[str]:
    """A view over a table of Parquet files."""
    spark.sql(f"CREATE TABLE landing_rows USING parquet LOCATION '{tmp_path}/rows' AS SELECT 1L AS id, 0.5D AS x1")
    spark.sql("CREATE VIEW landing_view AS SELECT id, x1 * 2 AS twice FROM landing_rows")
    yield "default.landing_view"
    spark.sql("DROP VIEW landing_view")
    spark.sql("DROP TABLE IF EXISTS landing_rows")


class TestViews:
    def test_a_view_and_a_table_that_is_not_delta_are_read_by_name(self, spark: SparkSession, catalog: str) -> None:
        assert read(spark, source_of(catalog, "view")) == [(1, 1.0)]
        assert read(spark, source_of("default.landing_rows", "view")) == [(1, 0.5)]

    def test_a_view_over_a_table_that_was_dropped_names_the_table(self, spark: SparkSession, catalog: str) -> None:
        spark.sql("DROP TABLE landing_rows")
        with pytest.raises(TableNotFound, match=r"the view default.landing_view reads .*landing_rows"):
            read(spark, source_of(catalog, "view"))

    def test_an_absent_view_is_none(self, spark: SparkSession) -> None:
        with pytest.raises(TableNotFound, match=r"there is no view or table default.nothing"):
            read(spark, source_of("default.nothing", "view"))


class TestConnectors:
    @pytest.mark.parametrize(
        ("format_", "options", "words"),
        [
            ("jdbc", {}, "without url"),
            ("jdbc", {"url": "jdbc:mysql://h/db"}, "com.mysql:mysql-connector-j"),
            ("snowflake", {"sfURL": "u"}, "without sfUser, sfDatabase, sfSchema, sfPassword or pem_private_key"),
            ("bigquery", {}, "com.google.cloud.spark:spark-bigquery-with-dependencies_2.13"),
            ("unheard", {}, "no reader of the format unheard"),
            ("csv", {}, "a folder or a file"),
        ],
    )
    def test_what_a_reader_lacks_is_said_before_the_run(
        self, spark: SparkSession, format_: str, options: dict[str, str], words: str
    ) -> None:
        with pytest.raises(ConfigError, match=words):
            read(spark, source_of("lake.flights", format_, options=options))

    def test_snowflake_with_all_it_needs_lacks_its_package(self, spark: SparkSession) -> None:
        options = {"sfUrl": "u", "sfUser": "u", "sfDatabase": "d", "sfSchema": "s", "sfPassword": "p"}
        with pytest.raises(ConfigError, match=r"net.snowflake:spark-snowflake_2.13"):
            read(spark, source_of("flights", "snowflake", options=options))

    def test_a_table_of_bigquery_is_one_of_a_dataset(self, spark: SparkSession) -> None:
        with pytest.raises(ConfigError, match=r"dataset\.table"):
            read(spark, source_of("flights", "bigquery"))
