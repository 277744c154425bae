"""The driver is killed, Python and JVM, wherever it may be: nothing is visible of it, and the next start goes on."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import ConfigError
from sparkscore.pipelines.maintain import maintain
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene
from tests.world import source_rows

NOT_VISIBLE = ["pinned", "started", "scoring", "before stage", "staged", "before publish"]
FILES, OLD = 8, "2013-11-30"
WATCHED: dict[str, Any] = {
    "profile": {"rows": "all"},
    "monitor": {"report": True, "mlflow": True},
    "sla": {"published_within_hours": 1, "completeness": 1.0, "fail": True},
}
"""All of the monitoring."""
SCORED = {"staged", "before publish", "in merge", "published"}
"""Points after which the stage is whole: the next attempt predicts no row."""


def kill(scene: Scene, at: str) -> None:
    if at == "scoring":
        scene.traps.set("hold", after=3)
    scene.killed(at)
    if at == "scoring":
        assert scene.traps.caught()
        scene.traps.free()


@pytest.mark.parametrize("at", [*NOT_VISIBLE, pytest.param("in merge", marks=pytest.mark.smoke)])
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


@pytest.mark.smoke
def test_killed_after_the_commit_the_rows_prove_it_and_no_row_is_predicted_again(scene: Scene) -> None:
    scene.killed("published")
    assert scene.world.events() == ["started"]
    version, paid = scene.world.version(), scene.traps.paid()
    report = scene.run()
    assert (report.status, report.model_loads) == ("already_published", 0)
    assert (scene.world.version(), scene.traps.paid()) == (version, paid)
    assert scene.world.events() == ["started", "published"]
    scene.check()


@pytest.mark.parametrize("at", ["before monitoring", "profiled", "compared", "logged"])
def test_killed_before_its_monitoring_is_over_the_next_one_makes_up_for_it_and_writes_nothing_twice(
    scene: Scene, at: str
) -> None:
    scene.begin_with(as_of=OLD, **WATCHED)
    scene.killed(at, **WATCHED)
    judged = ["monitored"] if at == "logged" else []  # the MLflow run comes after the event that keeps the exit code
    assert scene.world.events()[4:] == ["started", "staged", "published", *judged]
    version, paid = scene.world.version(), scene.traps.paid()
    report = scene.run(**WATCHED)
    assert (report.status, report.exit_code, scene.world.version()) == ("already_published", 5, version)
    assert (report.sla_broken, scene.traps.paid()) == (("published within",), paid)
    assert scene.world.events()[4:] == ["started", "staged", "published", "monitored"]
    assert report.report is not None
    assert Path(report.report).is_file()
    scene.check_monitoring(report.run_id)
    scene.check(Expected(scene.rows), Expected(scene.rows, OLD))


def test_what_an_attempt_had_pinned_is_kept_whatever_moves_until_the_next_one(scene: Scene) -> None:
    scene.killed("started")
    scene.world.registry.alias(2)
    scene.world.write_source(source_rows(7, first=ROWS), mode="append")
    assert scene.run().attempt == 2
    assert scene.world.events() == ["started", "aborted", "started", "staged", "published"]
    scene.check(Expected(scene.rows, version=1))


@pytest.mark.parametrize("session", ["", "serverless"])
def test_a_replacement_that_is_killed_leaves_what_it_was_to_replace_and_goes_on_unasked(
    scene: Scene, session: str
) -> None:
    first = scene.begin_with()
    scene.world.registry.alias(2)
    scene.killed("in merge", replace=True, session=session)
    assert set(scene.world.predictions()["run_id"]) == {first.run_id}
    report = scene.run()
    assert (report.status, report.revision) == ("published", 2)
    scene.check(Expected(scene.rows, version=2))


@pytest.mark.parametrize("session", ["", "serverless"])
def test_a_replacement_that_is_killed_after_its_commit_is_proven_by_its_rows(scene: Scene, session: str) -> None:
    scene.begin_with()
    scene.world.registry.alias(2)
    scene.killed("published", replace=True, session=session)
    version, paid = scene.world.version(), scene.traps.paid()
    report = scene.run()
    assert (report.status, report.revision) == ("already_published", 2)
    assert (scene.world.version(), scene.traps.paid()) == (version, paid)
    scene.check(Expected(scene.rows, version=2))


@pytest.mark.smoke
def test_killed_between_chunks_what_is_done_is_kept_and_only_the_rest_is_scored(scene: Scene) -> None:
    frame = scene.world.spark.createDataFrame(scene.rows).repartitionByRange(FILES, "id")
    frame.write.format("delta").mode("overwrite").save(scene.world.path("flights"))
    scene.traps.set("hold", after=12)  # of 24 batches: some splits are done, others cannot be
    scene.killed("chunk staged", scoring={"chunk_minutes": 1e-6}, split_bytes=1 << 20)  # a split for each file
    scene.traps.free()
    kept = scene.rows_staged("id")
    assert 0 < kept < ROWS
    paid = scene.traps.paid()
    report = scene.run()
    assert (report.status, report.chunks_reused) == ("published", 1)
    assert scene.traps.paid() - paid == ROWS - kept
    scene.check()


def test_a_split_that_takes_longer_than_its_drivers_live_is_scored_a_little_further_by_each_of_them(
    scene: Scene,
) -> None:
    scene.world.spark.createDataFrame(scene.rows).coalesce(1).write.format("delta").mode("overwrite").save(
        scene.world.path("flights")
    )
    kept = [0]
    for _ in range(3):
        scene.killed("chunk staged", scoring={"chunk_minutes": 1e-6}, split_bytes=1 << 30)  # one split, one row group
        kept.append(scene.rows_staged("id"))
    assert all(before < after for before, after in pairwise(kept))
    paid = scene.traps.paid()
    report = scene.run()
    assert (report.status, report.chunks_reused) == ("published", 3)
    assert scene.traps.paid() - paid == ROWS - kept[-1]
    scene.check()


@pytest.mark.smoke
def test_killed_inside_maintenance_the_next_one_goes_on_and_kept_rows_were_never_touched(scene: Scene) -> None:
    days: dict[str, Any] = {"output": {"retention_days": 30}}
    today = str(datetime.now(UTC).date())
    scene.begin_with(as_of=OLD)
    scene.begin_with(as_of=today)
    scene.killed("expired", verb="maintain", **days)  # the predictions have gone, the events are still there
    assert scene.world.events() == ["started", "staged", "published"] * 2
    assert scene.run(as_of=today, **days).status == "already_published"
    with pytest.raises(ConfigError, match="retention_days"):
        scene.run(as_of=OLD, **days)
    report = maintain(scene.world.spark, scene.settings(**days))
    assert (report.status, report.predictions_expired, report.events_expired) == ("maintained", 0, 3)
    scene.check(Expected(scene.rows, today))
