"""Whole verbs in a session that lets nobody set more than serverless compute does."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore import check_sla, maintain, migrate, retry_rejects, rollback, score
from sparkscore.settings import Settings
from tests.pipelines.test_maintain import LATER, scatter
from tests.pipelines.test_rejects import FAILED, broken
from tests.serverless import ServerlessSession
from tests.world import AS_OF, Registry, World, assert_published, source_rows

WATCHED: dict[str, Any] = {"profile": {"rows": "all"}, "monitor": {"report": True}, "sla": {"completeness": 1.0}}


@pytest.fixture
def world(spark: SparkSession, registry: Registry, tmp_path: Path) -> World:
    registry.alias(1)
    made = World(ServerlessSession.beside(spark), tmp_path / "home", registry)
    made.write_source(source_rows())
    return made


def run(world: World, settings: Settings | None = None, **flags: Any) -> Any:
    return score(world.spark, settings or world.settings(), as_of=AS_OF, **flags)


def operations(world: World) -> list[str]:
    """The commits of the prediction table, oldest first, and how its columns and rows were written."""
    logs = sorted(Path(world.path("predictions"), "_delta_log").glob("*.json"))
    infos = [
        json.loads(line)["commitInfo"]
        for log in logs
        for line in log.read_text().splitlines()
        if '"commitInfo"' in line
    ]
    return [f"{one['operation']} {one.get('operationParameters', {}).get('mode', '')}".strip() for one in infos]


def test_a_run_its_replacement_and_its_rollback_are_published_once_each(world: World) -> None:
    first = run(world)
    assert_published(world, first, source_rows())
    assert run(world).status == "already_published"
    world.registry.alias(2)
    world.write_source(source_rows(50, first=5))
    second = run(world, replace=True)
    assert_published(world, second, source_rows(50, first=5), version=2)
    assert (second.revision, second.rows_removed) == (2, 10)
    back, _ = rollback(world.spark, world.settings(), as_of=AS_OF)
    assert_published(world, back, source_rows())
    assert (back.revision, back.table_version) == (3, 3)
    assert operations(world)[2:] == ["WRITE Overwrite", "WRITE Overwrite"]
    assert [one for one in world.events() if one == "published"] == ["published"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["arrow", "pandas_udf"])
def test_it_runs_on_each_transport_with_all_of_the_monitoring(world: World, transport: str) -> None:
    settings = world.settings(scoring={"transport": transport}, **WATCHED)
    assert_published(world, run(world, settings), source_rows())
    assert world.table("predictions_profile").count()
    assert all(rule.kept for rule in check_sla(world.spark, settings, as_of=AS_OF))


@pytest.mark.slow
def test_rejects_are_scored_again_and_replace_what_was_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report = broken(world, monkeypatch)
    assert report.rows_rejected == len(FAILED)
    again = retry_rejects(world.spark, world.settings(), run=str(report.run_id)[:12])
    assert_published(world, again, source_rows())


@pytest.mark.slow
def test_a_table_grows_is_renamed_and_kept_up(world: World) -> None:
    for as_of in ("2013-11-30", AS_OF):
        score(world.spark, world.settings(), as_of=as_of)
    scatter(world, AS_OF)
    grown = world.settings(source={"passthrough": ["carrier", "x1"]})
    assert_published(world, run(world, grown, replace=True), source_rows())
    assert world.table().schema["x1"].dataType.simpleString() == "double"
    done = maintain(world.spark, world.settings(output={"retention_days": 30}), now=LATER)
    assert done.status == "maintained"
    assert world.table().count() == 0  # all of 2013 is older than 30 days
    renamed = world.settings(job="later-flights")
    migrate(world.spark, renamed, rename_from="late-flights")
    assert world.table("predictions").count() == 0


def test_a_number_of_rows_for_batches_that_nobody_can_set_is_what_the_model_gets_all_the_same(world: World) -> None:
    report = run(world, world.settings(scoring={"batch_rows": 20, "transport": "arrow"}))
    assert_published(world, report, source_rows())
    assert report.executors["batches"] >= 3
