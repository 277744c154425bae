"""The driver is killed, Python and JVM, wherever it may be: nothing is visible of it, and the next start goes on."""

from importlib.util import find_spec

import pytest

from sparkscore.model.host.executor import process_of
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene, eventually
from tests.world import source_rows

NOT_VISIBLE = ["pinned", "started", "scoring", "before stage", "staged", "before publish", "in merge"]
SCORED = {"staged", "before publish", "in merge", "published"}
"""Points after which the stage is whole: the next attempt predicts no row."""


def kill(scene: Scene, at: str) -> None:
    if at == "scoring":
        scene.traps.set("hold", after=3)
    scene.killed(at)
    if at == "scoring":
        caught = [process_of(pid) for pid in scene.traps.caught()]
        assert caught
        assert eventually(lambda: not any(one.alive for one in caught))  # workers end with their driver
        scene.traps.free()


@pytest.mark.parametrize("at", NOT_VISIBLE)
def test_killed_before_the_commit_nothing_is_visible_and_the_next_start_equals_an_undisturbed_run(
    scene: Scene, at: str
) -> None:
    before = scene.traps.paid()
    kill(scene, at)
    made = scene.world.version()  # the empty table is made before the MERGE
    assert made == (0 if at in ("before publish", "in merge") else -1)
    assert (sum(scene.staged()) > 0) == (at in SCORED)
    paid = scene.traps.paid() - before
    report = scene.run()
    assert (report.status, report.table_version) == ("published", 1)
    assert bool(report.chunks_reused) == (at in SCORED)
    assert scene.traps.paid() - before == (ROWS if at in SCORED else paid + ROWS)
    scene.check()


def test_killed_inside_the_merge_it_leaves_files_that_are_in_no_table(scene: Scene) -> None:
    scene.killed("in merge")
    assert scene.thrown_away() == 1
    assert scene.run().status == "published"
    assert scene.thrown_away() == 1
    scene.check()


def test_killed_after_the_commit_the_rows_prove_it_and_no_row_is_predicted_again(scene: Scene) -> None:
    scene.killed("published")
    assert scene.world.events() == ["started", "staged"]
    version, paid = scene.world.version(), scene.traps.paid()
    report = scene.run()
    assert (report.status, report.model_loads) == ("already_published", 0)
    assert (scene.world.version(), scene.traps.paid()) == (version, paid)
    assert scene.world.events() == ["started", "staged", "published"]
    scene.check()


def test_what_an_attempt_had_pinned_is_kept_whatever_moves_until_the_next_one(scene: Scene) -> None:
    scene.killed("started")
    scene.world.registry.alias(2)
    scene.world.write_source(source_rows(7, first=ROWS), mode="append")
    assert scene.run().attempt == 2
    assert scene.world.events() == ["started", "aborted", "started", "staged", "published"]
    scene.check(Expected(scene.rows, version=1))


def test_a_replacement_that_is_killed_leaves_what_it_was_to_replace_and_goes_on_unasked(scene: Scene) -> None:
    first = scene.run()
    scene.world.registry.alias(2)
    scene.killed("in merge", replace=True)
    assert set(scene.world.predictions()["run_id"]) == {first.run_id}
    report = scene.run()
    assert (report.status, report.revision) == ("published", 2)
    scene.check(Expected(scene.rows, version=2))


@pytest.mark.skipif(find_spec("sparkscore.publish.chunks") is None, reason="the scan commits its stage at once so far")
def test_killed_between_chunks_what_is_done_is_kept(scene: Scene) -> None:
    scene.killed("chunk staged", scoring={"chunk_minutes": 0.0001})
    paid = scene.traps.paid()
    report = scene.run()
    assert report.chunks_reused
    assert scene.traps.paid() - paid < ROWS
    scene.check()
