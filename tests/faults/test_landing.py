"""The driver is killed around the landing of a source without versions: nothing doubled, nothing lost."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.faults.scene import ROWS, Scene
from tests.world import source_rows


@pytest.fixture
def source(scene: Scene, tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(scene.rows, folder / "a.parquet")
    return {"table": str(folder), "format": "parquet"}


@pytest.mark.parametrize("at", ["landing", "landed"])
def test_a_killed_landing_is_made_anew_and_a_whole_one_is_read_by_the_next_attempt(
    scene: Scene, source: dict[str, Any], at: str
) -> None:
    scene.killed(at, source=source)
    landed = Path(scene.settings(source=source).landing_uri)
    is_whole = any(landed.glob("*Z/_delta_log/*.json"))
    assert is_whole or at == "landing"
    # what the source holds now is landed where nothing was, and not where something was
    pq.write_table(source_rows(ROWS - 1), Path(source["table"]) / "a.parquet")
    report = scene.run(source=source)
    assert report.status == "published"
    assert report.rows_read == (ROWS if is_whole else ROWS - 1)
    assert len(scene.world.predictions()) == report.rows_read
