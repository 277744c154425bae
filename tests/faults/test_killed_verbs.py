"""Other verbs than `score`, and the making of a table, are killed: Python and JVM, by SIGKILL."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from sparkscore import backfill, evaluate
from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.score_shadow import score_shadow
from tests.faults.checker import Expected, check_performance
from tests.faults.scene import BATCH_ROWS, ROWS, Scene
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


@pytest.mark.parametrize(
    ("at", "parallel", "done"),
    [("scoring", 1, 2), pytest.param("scoring", 2, 2, marks=pytest.mark.smoke), ("published", 1, 1)],
)
def test_a_backfill_that_is_killed_goes_on_with_the_as_ofs_that_are_left(
    scene: Scene, at: str, parallel: int, done: int
) -> None:
    days = [f"2013-01-{day:02}" for day in range(1, 6)]
    chosen: dict[str, Any] = {"last": days[-1], "source": "as_it_is", "model": "as_it_is", "parallel": parallel}
    if at == "scoring":  # in the third one, or where two are under way at once in the third or the fourth
        scene.traps.set("hold", after=(1 + done) * ROWS // BATCH_ROWS - 3)
    scene.killed(at, as_of=days[0], verb="backfill", flags=chosen)
    scene.traps.free()
    assert scene.world.version() + 1 >= done
    scene.world.registry.alias(2)
    report = backfill(scene.world.spark, scene.settings(), first=days[0], **{**chosen, "model": "as_it_was"})
    statuses = [run.status for run in report.runs]
    assert statuses == ["already_published"] * statuses.count("already_published") + ["published"] * (5 - done)
    assert {run.model_version for run in report.runs} == {"1"}
    assert max(run.attempt or 0 for run in report.runs) == 2 - (at == "published")
    scene.check(*[Expected(scene.rows, day) for day in days])


@pytest.mark.parametrize("at", ["measured", "replacing", "evaluated", "told"])
def test_an_evaluation_that_is_killed_is_finished_by_the_same_command(scene: Scene, at: str) -> None:
    scene.begin_with()
    labels = {"labels": {"table": "truths", "truth": "late"}, "performance": {"segments": ["carrier"]}}
    half = {"id": np.arange(ROWS // 2), "late": np.arange(ROWS // 2) % 2}
    write_deltalake(scene.world.path("truths"), pa.table(half))
    first = evaluate(scene.world.spark, scene.settings(**labels))
    assert (first.status, first.rows_written) == ("evaluated", 3)
    rest = {"id": np.arange(ROWS // 2, ROWS), "late": np.arange(ROWS // 2, ROWS) % 2}
    write_deltalake(scene.world.path("truths"), pa.table(rest), mode="append")
    scene.killed(at, verb="evaluate", **labels)
    done = at in ("evaluated", "told")
    assert scene.world.version("predictions_performance") == (2 if done else 1)
    report = evaluate(scene.world.spark, scene.settings(**labels))
    assert report.status == ("nothing_new" if done else "evaluated")
    assert scene.world.version("predictions_performance") == 2
    check_performance(scene.world.home, truths=half | {name: np.append(half[name], rest[name]) for name in half})
    scene.check()


@pytest.mark.parametrize("at", ["started", "scoring", pytest.param("in merge", marks=pytest.mark.smoke), "published"])
def test_a_shadow_that_is_killed_leaves_production_untouched_and_is_finished_by_the_same_command(
    scene: Scene, at: str
) -> None:
    published = scene.begin_with()
    before = {name: scene.world.version(name) for name in ("flights", "predictions", "predictions_runs")}
    scene.killed(at, verb="shadow")
    assert {name: scene.world.version(name) for name in before} == before
    report = score_shadow(scene.world.spark, scene.settings(), as_of=AS_OF)
    assert report.agreement is not None
    assert (report.status, report.agreement.rows, report.agreement.equal_share) == ("compared", ROWS, 1.0)
    assert {name: scene.world.version(name) for name in before} == before
    assert set(scene.world.predictions()["run_id"]) == {published.run_id}
    scene.check()
