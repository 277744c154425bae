"""Other verbs than `score`, and the making of a table, are killed: Python and JVM, by SIGKILL."""

import pytest

from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.rollback import rollback
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene
from tests.world import AS_OF

HATED = 0.9999
"""Some rows of the source have a greater x1: none of 100 rows more than two."""


@pytest.mark.parametrize("at", ["before publish", pytest.param("in merge", marks=pytest.mark.smoke), "published"])
def test_a_rollback_that_is_killed_is_finished_by_the_same_command(scene: Scene, at: str) -> None:
    scene.begin_with()
    scene.world.registry.alias(2)
    second, before, paid = scene.begin_with(replace=True), scene.world.version(), scene.traps.paid()
    scene.killed(at, verb="rollback")
    done = at == "published"
    assert (scene.world.version() > before) == done
    assert (set(scene.world.predictions()["run_id"]) == {second.run_id}) == (not done)
    report, _ = rollback(scene.world.spark, scene.settings(), as_of=AS_OF)
    assert (report.status, report.revision) == ("already_published" if done else "published", 3)
    assert (scene.world.version(), scene.traps.paid()) == (before + 1, paid)
    scene.check(Expected(scene.rows, version=1))


@pytest.mark.parametrize("at", ["started", "repaired", "in merge", "published"])
def test_a_retry_of_rejects_that_is_killed_is_finished_by_the_same_command(scene: Scene, at: str) -> None:
    scene.traps.hate(HATED)
    first = scene.run()
    rejected = int((scene.rows["x1"].to_numpy() > HATED).sum())
    assert first.rows_rejected == rejected > 0
    scene.traps.free()
    before, paid = scene.world.version(), scene.traps.paid()
    scene.killed(at, verb="rejects", flags={"run": first.run_id})
    done = at == "published"
    assert (scene.world.version() > before) == done
    report = retry_rejects(scene.world.spark, scene.settings(), run=first.run_id or "")
    assert (report.status, report.revision) == ("already_published" if done else "published", 2)
    assert (scene.world.version(), scene.traps.paid() - paid) == (before + 1, rejected)
    assert report.rows_scored == ROWS
    scene.check()


def test_killed_while_it_makes_the_table_the_next_one_makes_it_and_predicts_no_row(scene: Scene) -> None:
    scene.killed("creating")
    log = scene.world.home / "tables" / "predictions" / "_delta_log"
    assert (log.is_dir(), list(log.glob("*.json"))) == (True, [])
    paid = scene.traps.paid()
    report = scene.run()
    assert (report.status, report.attempt, scene.traps.paid()) == ("published", 2, paid)
    scene.check()
