"""Whole jobs over sources without versions: landed once per as_of, then as every other source."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkscore import maintain, score
from sparkscore.errors import PinsConflict
from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
from sparkscore.settings import Settings
from tests.world import AS_OF, World, assert_published, source_rows

LATER = "2014-01-01"
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
