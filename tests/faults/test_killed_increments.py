"""The driver is killed inside of an increment: no change is lost, none is published twice."""

import pyarrow as pa
import pytest
from delta.tables import DeltaTable

from sparkscore.records import ReportedIncrement
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene
from tests.world import source_rows

DAY = "2014-01-01"
SOURCE = {"read": "changes", "on_delete": "mark"}


def change_source(scene: Scene) -> pa.Table:
    """Rows are inserted, updated and deleted; those that have changed, as they are now."""
    scene.world.write_source(source_rows(10, first=ROWS), mode="append")
    table = DeltaTable.forPath(scene.world.spark, scene.world.path("flights"))
    table.delete("id < 3")
    table.update("id IN (5, 6)", {"x1": "x1 + 1"})
    return scene.world.table("flights").where(f"id IN (5, 6) OR id >= {ROWS}").orderBy("id").toArrow()


@pytest.mark.parametrize(
    "at",
    [
        "changes found",
        "deleted keys landed",
        pytest.param("changes landed", marks=pytest.mark.smoke),
        "started",
        "staged",
        "in merge",
        "published",
    ],
)
def test_a_killed_increment_is_finished_by_the_next_start_with_the_range_that_it_had(scene: Scene, at: str) -> None:
    scene.begin_with(source=SOURCE)
    rows = change_source(scene)
    scene.killed(at, as_of=DAY, source=SOURCE)
    report = scene.run(as_of=DAY, source=SOURCE)
    assert report.status == ("already_published" if at == "published" else "published")
    assert report.increment is not None
    found = (report.increment.since, report.increment.until, report.increment.rows_deleted)
    assert found == (0, 3, 3)
    scene.check(Expected(scene.rows), Expected(rows, as_of=DAY, deleted=(0, 1, 2)))
    assert scene.run(as_of="2014-01-02", source=SOURCE).increment == ReportedIncrement(3, 3, 0, 0, on_delete="mark")


def test_the_next_as_of_goes_on_from_a_commit_whose_event_is_missing(scene: Scene) -> None:
    scene.begin_with(source=SOURCE)
    rows = change_source(scene)
    scene.killed("published", as_of=DAY, source=SOURCE)
    following = scene.run(as_of="2014-01-02", source=SOURCE)
    assert following.increment == ReportedIncrement(3, 3, 0, 0, on_delete="mark")
    assert scene.run(as_of=DAY, source=SOURCE).status == "already_published"
    scene.check(Expected(scene.rows), Expected(rows, as_of=DAY, deleted=(0, 1, 2)))
