"""The driver is killed around its challengers: the champion is as without them, and each challenger is there once."""

from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable

from tests.faults.scene import ROWS, Scene
from tests.world import MODEL

pytestmark = pytest.mark.slow
BESIDE: dict[str, Any] = {"challengers": [{"uri": f"models:/{MODEL}/2"}]}


def assert_challenger_is_there_once(scene: Scene, run_id: str | None) -> None:
    rows = DeltaTable(scene.world.path("predictions_challengers")).to_pyarrow_table().sort_by("id")
    assert rows["id"].to_pylist() == list(range(ROWS))
    expected = scene.world.registry.expected(scene.rows, version=2)
    np.testing.assert_allclose(rows["prediction"].to_numpy(), expected, rtol=0, atol=1e-12)
    assert set(rows["champion_run_id"].to_pylist()) == {run_id}


@pytest.mark.parametrize(
    "at", ["before stage", "chunk staged", "before publish", "before challenger", "challenger published"]
)
def test_the_next_start_publishes_what_is_missing_and_nothing_twice(scene: Scene, at: str) -> None:
    scene.killed(at, **BESIDE)
    report = scene.run(**BESIDE)
    assert report.status == ("already_published" if "challenger" in at else "published")
    assert [one.status for one in report.challengers] == ["published"]
    assert_challenger_is_there_once(scene, report.run_id)
    version = scene.world.version("predictions_challengers")
    assert scene.run(**BESIDE).challengers == ()
    assert scene.world.version("predictions_challengers") == version
    scene.check()
