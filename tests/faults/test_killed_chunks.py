"""The driver is killed between chunks, where Spark reads the rows, and where predictions are kept for equal inputs."""

from typing import Any

import pytest
from deltalake import DeltaTable

from tests.faults.scene import BATCH_ROWS, ROWS, Scene

CHUNKS: dict[str, Any] = {"transport": "arrow", "chunk_minutes": 1e-9}
REUSED: dict[str, Any] = {"model": {"reuse": True}, "scoring": {"chunk_minutes": 1e-9}}


def lost_rows(scene: Scene, at: str, before: int, *columns: str) -> int:
    """Rows that were predicted and are not in the stage with these columns: of batches that no chunk had committed."""
    kept = scene.rows_staged(*columns)
    lost = scene.traps.paid() - before - kept
    assert (kept > 0) == (at not in ("inputs found", "before stage"))
    assert lost > 0 or at != "before stage"
    assert 0 <= lost <= 2 * BATCH_ROWS
    return lost


@pytest.mark.parametrize("at", ["before stage", pytest.param("chunk staged", marks=pytest.mark.smoke), "staged"])
def test_rows_that_spark_reads_are_scored_once_but_for_the_chunk_that_was_not_committed(scene: Scene, at: str) -> None:
    before = scene.traps.paid()
    scene.killed(at, split_bytes=1, scoring=CHUNKS)
    assert scene.world.version() == -1
    lost = lost_rows(scene, at, before, "id")
    report = scene.run(scoring=CHUNKS)
    assert scene.traps.paid() - before == ROWS + lost
    assert (report.transport, bool(report.chunks_reused)) == (None if at == "staged" else "arrow", at != "before stage")
    scene.check()


CHUNK = pytest.param("chunk staged", marks=pytest.mark.smoke)


@pytest.mark.parametrize("at", ["inputs found", "before stage", CHUNK, "prediction kept", "staged"])
def test_inputs_are_predicted_once_but_for_the_chunk_that_was_not_committed(scene: Scene, at: str) -> None:
    before = scene.traps.paid()
    scene.killed(at, split_bytes=1 << 20, **REUSED)  # smaller splits have no rows
    assert scene.world.version() == -1
    lost = lost_rows(scene, at, before, "inputs_hash", "prediction")
    scene.run(**REUSED)
    assert scene.traps.paid() - before == ROWS + lost
    scene.check()
    kept = DeltaTable(scene.world.path("predictions_reused")).to_pyarrow_table(columns=["inputs_hash"])
    assert (kept.num_rows, len(kept["inputs_hash"].unique())) == (ROWS, ROWS)
    scene.run(as_of="2014-01-31", **REUSED)
    assert scene.traps.paid() - before == ROWS + lost
