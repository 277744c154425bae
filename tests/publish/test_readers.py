"""Engines that analysts use read the table that the suite has written, by the words of docs/readers.md."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore.performance_schemas import PERFORMANCE_CONTRACT
from sparkscore.publish.analyst_queries import QUERY_NAMES, build_query
from sparkscore.settings import Settings
from tests.world import Registry, World, source_rows

ROOT = Path(__file__).resolve().parents[2]
_PAGE = (ROOT / "docs" / "readers.md").read_text(encoding="utf-8")
_SECTIONS = dict(part.split("\n", 1) for part in _PAGE.split("\n## ")[1:])
_FENCES = {name: re.search(r"```python\n(.*?)```", text, re.DOTALL) for name, text in _SECTIONS.items()}
SNIPPETS = {name: found[1] for name, found in _FENCES.items() if found}
EARLIER, LATER = "2013-12-30", "2013-12-31"
TABLE = "flight_delay_predictions"


def window(version: str, day: int, rows: int, auc: float | None, slice_key: str | None = None) -> dict[str, Any]:
    at = datetime(2013, 12, day, tzinfo=UTC)
    counts = {"count": rows, "labelled_count": rows, "null_prediction_count": 0, "roc_auc_score": auc}
    names = {"granularity": "run", "model_name": "late", "problem_type": "binary", "window_id": "w", "revision": 1}
    own = {"window": {"start": at, "end": at}, "as_of": at, "as_of_date": at.date(), "slice_key": slice_key}
    return {**names, **counts, **own, "model_version": version}


WINDOWS = [window("1", 30, 10, 0.8), window("1", 31, 30, 0.6), window("2", 31, 10, None), window("1", 30, 5, 0.1, "c")]


REJECTED = 7


def reader_settings(world: World) -> Settings:
    return world.settings(output={"table": TABLE, "rename": {"id": "flight_id"}}, model={"missing": {"x1": "reject"}})


def later_rows() -> pa.Table:
    """Other keys than before, and one row that cannot be scored."""
    rows = source_rows(60, first=5)
    values = [
        None if key == REJECTED else x1 for key, x1 in zip(*(rows[n].to_pylist() for n in ("id", "x1")), strict=True)
    ]
    return rows.set_column(2, "x1", pa.array(values, pa.float64()))


@pytest.fixture(scope="module")
def readable(spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two as_ofs by two model versions, over sources that differ in some keys, in a folder `.sparkscore`."""
    world = World(spark, tmp_path_factory.mktemp("readable") / ".sparkscore", registry)
    registry.alias(1)
    world.write_source(source_rows(60))
    world.begin_with(reader_settings(world), as_of=EARLIER)
    world.write_source(later_rows())
    registry.alias(2)
    try:
        world.begin_with(reader_settings(world), as_of=LATER)
    finally:
        registry.alias(1)
    write_deltalake(world.path(f"{TABLE}_performance"), pa.Table.from_pylist(WINDOWS, PERFORMANCE_CONTRACT.schema))
    return world


def expected_risk(world: World) -> Mapping[str, float]:
    rows = later_rows().filter(pc.field("x1").is_valid())
    made = pa.table({"carrier": rows["carrier"], "prediction": world.registry.expected(rows, version=2)})
    means = made.group_by("carrier").aggregate([("prediction", "mean")])
    return dict(zip(means["carrier"].to_pylist(), means["prediction_mean"].to_pylist(), strict=True))


def test_the_page_has_a_snippet_for_each_reader() -> None:
    assert SNIPPETS.keys() == {"Spark", "DuckDB", "Polars", "pandas", "deltalake"}


@pytest.mark.parametrize("reader", sorted(SNIPPETS))
def test_every_reader_finds_the_same_predictions(readable: World, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(reader.lower() if reader != "Spark" else "pyspark")
    monkeypatch.chdir(readable.home.parent)
    names: dict[str, Any] = {"spark": readable.spark}
    exec(SNIPPETS[reader], names)  # noqa: S102  of our own page
    assert names["risk"] == pytest.approx(expected_risk(readable), abs=1e-12)


def test_polars_reads_all_columns_and_times_as_they_are(readable: World) -> None:
    polars = pytest.importorskip("polars")
    found = polars.scan_delta(readable.path(TABLE)).collect().to_arrow().sort_by("flight_id")
    expected = DeltaTable(readable.path(TABLE)).to_pyarrow_table().sort_by("flight_id")
    assert found.column_names == expected.column_names
    for name in ("flight_id", "prediction", "label", "as_of_date", "model_version", "source_version"):
        assert sorted(found[name].to_pylist()) == sorted(expected[name].to_pylist())
    assert set(found["as_of"].to_pylist()) == set(expected["as_of"].to_pylist())


def comparable_rows(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows that can be compared: times in UTC, numbers without what engines round differently."""
    return sorted((tuple(map(comparable_value, row)) for row in rows), key=repr)


def comparable_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return round(value, 12) if isinstance(value, float) else value


@pytest.mark.parametrize("name", QUERY_NAMES)
def test_spark_and_duckdb_answer_every_query_alike(readable: World, name: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    paths = {"predictions": "", "runs": "_runs", "rejects": "_rejects", "performance": "_performance"}
    by_spark = readable.spark.sql(build_query(reader_settings(readable), name))
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        for suffix in paths.values():
            engine.register(TABLE + suffix, DeltaTable(readable.path(TABLE + suffix)).to_pyarrow_dataset())
        by_duckdb = engine.sql(build_query(reader_settings(readable), name, dialect="duckdb"))
        assert by_duckdb.columns == by_spark.columns
        rows = by_duckdb.fetchall()
    found = [tuple(row) for row in by_spark.collect()]
    assert rows
    assert comparable_rows(rows) == comparable_rows(found)


class TestAnswers:
    """What the queries say of two publications that are known."""

    def ask(self, world: World, name: str, **asked: Any) -> list[dict[str, Any]]:
        found = world.spark.sql(build_query(reader_settings(world), name, **asked)).collect()
        return [row.asDict() for row in found]

    def test_latest_has_one_row_per_key_and_the_newest(self, readable: World) -> None:
        found = {row["flight_id"]: row["model_version"] for row in self.ask(readable, "latest")}
        assert found == {key: "1" if key < 5 or key == REJECTED else "2" for key in range(65)}

    def test_changes_tell_what_came_went_and_changed(self, readable: World) -> None:
        found = {row["flight_id"]: row["what"] for row in self.ask(readable, "changes")}
        removed = {*range(5), REJECTED}
        added = set(range(60, 65))
        expected = {key: "removed" if key in removed else "added" if key in added else "changed" for key in range(65)}
        assert found == expected

    def test_the_as_ofs_may_be_named(self, readable: World) -> None:
        named = self.ask(readable, "changes", first=LATER, last=EARLIER)
        assert {row["flight_id"] for row in named if row["what"] == "added"} == {*range(5), REJECTED}

    def test_movers_come_in_the_order_of_what_they_moved(self, readable: World) -> None:
        moves = [abs(row["change"]) for row in self.ask(readable, "movers")]
        assert moves == sorted(moves, reverse=True)
        assert len(moves) == 54

    def test_runs_count_what_was_rejected(self, readable: World) -> None:
        found = [(row["rows_read"], row["rows_rejected"], row["is_current"]) for row in self.ask(readable, "runs")]
        assert found == [(60, 0, True), (60, 1, True)]
        assert [(row["code"], row["rejected_rows"]) for row in self.ask(readable, "rejects")] == [
            ("missing_input(x1)", 1)
        ]

    def test_two_events_of_one_publication_are_one_row(self, readable: World, tmp_path: Path) -> None:
        place, twice = readable.path(f"{TABLE}_runs"), str(tmp_path / "runs")
        runs = DeltaTable(place).to_pyarrow_table()
        again = [{**row, "attempt": row["attempt"] + 1} for row in runs.to_pylist() if row["event"] == "published"]
        write_deltalake(twice, pa.concat_tables([runs, pa.Table.from_pylist(again, runs.schema)]))
        query = build_query(reader_settings(readable), "runs")
        assert readable.spark.sql(query.replace(place, twice)).count() == readable.spark.sql(query).count() == 2

    def test_quality_weighs_windows_by_their_labelled_rows(self, readable: World) -> None:
        found = {
            row["model_version"]: (row["labelled_rows"], row["roc_auc_score"]) for row in self.ask(readable, "quality")
        }
        assert found == {"1": (40, pytest.approx(0.65)), "2": (10, None)}


def test_the_query_for_trino_is_trinos() -> None:
    sqlglot = pytest.importorskip("sqlglot")
    (query,) = re.findall(r"```sql\n(.*?)```", _PAGE, re.DOTALL)
    assert sqlglot.parse_one(query, read="trino").sql("trino").startswith("SELECT carrier, AVG(prediction)")
