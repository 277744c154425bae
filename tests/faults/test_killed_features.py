"""The driver is killed while features are joined to the rows: the next start publishes the same rows."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.faults.scene import ROWS, Scene

FEATURES = {
    "table": "flights",
    "keys": ["id"],
    "passthrough": ["carrier", "x2"],
    "features": [{"table": "ratings", "keys": {"id": "of"}, "time": "valid_at", "columns": {"x2": "x"}}],
}


def write_values(scene: Scene, values: Any, *, at: int) -> None:
    """A value of x2 for each row of the source, known from this day of December on."""
    times = pa.array([datetime(2013, 12, at, tzinfo=UTC)] * ROWS, pa.timestamp("us", "UTC"))
    scene.world.write_source(pa.table({"of": np.arange(ROWS), "valid_at": times, "x": values}), name="ratings")


@pytest.mark.parametrize(
    "at",
    [
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("landing", "landed", "started", "staged")),
        pytest.param("rows adopted", marks=pytest.mark.smoke),
    ],
)
def test_a_kill_inside_of_the_join_of_features_loses_and_doubles_no_row(scene: Scene, at: str) -> None:
    scene.world.write_source(scene.rows.drop_columns(["x2"]))
    write_values(scene, scene.rows["x2"], at=1)
    scene.killed(at, source=FEATURES)
    pinned = at in ("started", "staged")
    if pinned:  # values that come later are not for an attempt that goes on
        write_values(scene, np.zeros(ROWS), at=2)
    paid = scene.traps.paid()

    report = scene.run(source=FEATURES)

    assert (report.status, report.attempt) == ("published", 2 if pinned else 1)
    assert [(one.version, one.rows_matched) for one in report.features] == [(0, ROWS)]
    assert scene.world.predictions()["x2"].tolist() == scene.rows["x2"].to_pylist()
    assert scene.traps.paid() - paid == (0 if at == "staged" else ROWS)
    landed = DeltaTable(str(scene.world.home / "landing" / "late-flights" / "20131231T000000Z")).to_pyarrow_table()
    assert sorted(landed["id"].to_pylist()) == list(range(ROWS))
    scene.check()
