"""Whole jobs over sources without versions: landed once per as_of, then as every other source."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkscore import maintain, score
from sparkscore.errors import PinsConflict, TemporaryError
from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
from sparkscore.pipelines.shared import source_landing
from sparkscore.settings import Settings
from sparkscore.store.landing_tables import write_landed_rows
from tests.postgres import PASSWORD, USER, Postgres, needs_jdbc_driver, needs_postgres
from tests.world import AS_OF, World, assert_published, source_rows

LANDINGS = "landing/late-flights"


def write_csv(file: Path, rows: pa.Table, *, sep: str = ",", start: str = "", end: str = "") -> str:
    """A CSV as other programs write it; its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = rows.to_pandas().to_csv(index=False, sep=sep, float_format="%.17g")
    file.write_text(start + text + end, encoding="utf-8")
    return str(file.parent)


def settings_of(world: World, table: str, **source: Any) -> Settings:
    return world.settings(source={"table": table, **source})


def landed_folders(world: World) -> list[str]:
    return sorted(folder.name for folder in (world.home / LANDINGS).glob("*Z"))


def test_a_csv_with_a_mark_another_delimiter_and_a_torn_line_is_published_whole(world: World, tmp_path: Path) -> None:
    rows = source_rows()
    folder = write_csv(tmp_path / "in" / "a.csv", rows, sep=";", start="\ufeff", end="5;A")
    report = score(world.spark, settings_of(world, folder, format="csv", options={"sep": ";"}), as_of=AS_OF)
    assert_published(world, report, rows)
    assert (report.rows_read, report.rows_rejected, report.transport) == (61, 1, "scan")
    rejected = world.table("predictions_rejects").select("key", "code").collect()
    assert [tuple(row) for row in rejected] == [(json.dumps({"id": None}, separators=(",", ":")), "corrupt_record")]


@pytest.mark.slow
class TestParquet:
    """One world, whose steps follow one another."""

    def test_an_as_of_reads_what_was_landed_for_it_until_somebody_restarts_it(
        self, world: World, tmp_path: Path
    ) -> None:
        old, new = source_rows(40), source_rows(50)
        file = tmp_path / "in" / "a.parquet"
        file.parent.mkdir()
        pq.write_table(old, file)
        settings = settings_of(world, str(file.parent), format="parquet")

        planned, lines = preview_plan(world.spark, settings, as_of=AS_OF)
        assert "it would be landed in" in dict(lines)["source"]
        assert planned.source is not None
        assert planned.source.version is None
        _, sampled = sample_predictions(world.spark, settings, as_of=AS_OF, rows=3)
        assert len(sampled) == 3
        assert not (world.home / LANDINGS).exists()

        first = score(world.spark, settings, as_of=AS_OF)
        assert_published(world, first, old)
        assert first.source is not None
        assert (first.source.format, first.source.version) == ("parquet", 0)
        assert first.source.landed_at is not None

        pq.write_table(new, file)
        again = score(world.spark, settings, as_of=AS_OF, replace=True)
        assert_published(world, again, old)
        assert any("--restart lands it anew" in warning for warning in again.warnings)
        anew = score(world.spark, settings, as_of=AS_OF, replace=True, restart=True)
        assert_published(world, anew, new)
        assert anew.source is not None
        assert anew.source.version == 1
        assert score(world.spark, settings, as_of=AS_OF).status == "already_published"
        with pytest.raises(PinsConflict):
            score(world.spark, settings_of(world, str(tmp_path), format="parquet"), as_of=AS_OF)

        files = world.home / LANDINGS / landed_folders(world)[0]
        assert maintain(world.spark, settings).landings_removed == 0
        assert files.exists()


@needs_postgres
@needs_jdbc_driver
@pytest.mark.slow
class TestDatabase:
    """A real PostgreSQL, read by ranges."""

    @pytest.fixture
    def settings(self, world: World, postgres: Postgres) -> Settings:
        rows = source_rows()
        values = ", ".join(
            f"({one['id']}, '{one['carrier']}', {one['x1']!r}, {one['x2']!r})" for one in rows.to_pylist()
        )
        postgres.run_sql("drop table if exists late; create table late (id bigint, carrier text, x1 float8, x2 float8)")
        postgres.run_sql(f"insert into late values {values}")  # noqa: S608  rows of the test
        options = {"url": postgres.jdbc_url, "user": USER, "password": PASSWORD}
        return settings_of(
            world, "late", format="jdbc", options={**options, "partitionColumn": "id", "numPartitions": 3}
        )

    def test_rows_that_come_while_ranges_are_read_end_the_attempt_and_the_next_one_lands_anew(
        self, world: World, postgres: Postgres, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write_late(*given: Any, **named: Any) -> int | None:
            version = write_landed_rows(*given, **named)
            postgres.run_sql("insert into late values (60, 'AA', 0.5, 0.5)")
            return version

        monkeypatch.setattr(source_landing, "write_landed_rows", write_late)
        with pytest.raises(TemporaryError, match="60 rows before, 60 read, 61 after"):
            score(world.spark, settings, as_of=AS_OF)
        monkeypatch.undo()
        postgres.run_sql("delete from late where id = 60")

        report = score(world.spark, settings, as_of=AS_OF)
        assert_published(world, report, source_rows())
        told = world.table("predictions_runs").where("event = 'published'").collect()[0]
        landing = json.loads(told["details"])["landing"]
        assert (landing["format"], landing["source"], landing["version"]) == ("jdbc", "late", 1)
        assert all(PASSWORD not in file.read_text() for file in world.home.rglob("*.json"))
        assert PASSWORD not in report.to_json() + told["details"]


@pytest.mark.slow
def test_what_was_landed_for_settled_runs_is_removed_after_the_grace_period(world: World, tmp_path: Path) -> None:
    settings = settings_of(world, write_csv(tmp_path / "in" / "a.csv", source_rows(5)), format="csv")
    score(world.spark, settings, as_of=AS_OF)
    soon = maintain(world.spark, settings, dry_run=True)
    later = maintain(world.spark, settings, now=datetime.now(UTC) + timedelta(days=8))
    assert (soon.landings_removed, later.landings_removed) == (0, 1)
    assert later.landing_bytes_removed > 0
    assert sorted(folder.name for folder in (world.home / LANDINGS).iterdir()) == ["schema"]
    assert score(world.spark, settings, as_of=AS_OF).status == "already_published"
    assert not maintain(world.spark, settings, now=datetime.now(UTC) + timedelta(days=8)).landings_removed
