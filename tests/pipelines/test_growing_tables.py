"""Whole runs over a prediction table whose job changes its columns: it grows when a run is published, not before."""

from typing import Any

import pytest

from sparkscore import rollback, score
from sparkscore.errors import GateFailed
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.shared import publishing
from sparkscore.records import RunReport
from tests.world import World

FIRST, SECOND = "2013-12-30", "2013-12-31"
BARE: dict[str, Any] = {"source": {"passthrough": []}}
CARRIED: dict[str, Any] = {"source": {"passthrough": ["carrier"]}}


def run(world: World, as_of: str, *, replace: bool = False, **groups: Any) -> RunReport:
    return score(world.spark, world.settings(**groups), as_of=as_of, replace=replace)


def begin(world: World, as_of: str, *, replace: bool = False, **groups: Any) -> RunReport:
    return world.begin_with(world.settings(**groups), as_of=as_of, replace=replace)


def carriers(world: World, as_of: str) -> set[Any]:
    return {row["carrier"] for row in world.table().where(f"as_of_date = '{as_of}'").select("carrier").collect()}


def test_a_new_passthrough_is_said_then_added_at_the_publication_and_null_in_older_rows(world: World) -> None:
    begin(world, FIRST, **BARE)
    before = world.version()
    _, lines = preview_plan(world.spark, world.settings(**CARRIED), as_of=SECOND)
    assert ("adds columns", "carrier string") in lines
    with pytest.raises(GateFailed):
        run(world, SECOND, **CARRIED, gate={"mean_shift": 1e-9}, model={"uri": "models:/late/2"})
    assert (world.version(), "carrier" in world.table().columns) == (before, False)
    report = run(world, SECOND, **CARRIED)
    assert report.status == "published"
    assert "the publication adds to predictions: carrier string; NULL in older rows" in report.warnings
    assert world.version() == before + 2  # the column, and the rows
    assert carriers(world, FIRST) == {None}
    assert None not in carriers(world, SECOND)


def test_a_run_that_is_killed_between_the_column_and_the_rows_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(world, FIRST, **BARE)
    before = world.version()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "publish_run", die)
        with pytest.raises(KeyboardInterrupt):
            run(world, SECOND, **CARRIED)
    assert (world.version(), "carrier" in world.table().columns) == (before + 1, True)
    report = run(world, SECOND, **CARRIED)
    assert (report.status, report.attempt, report.model_loads, world.version()) == ("published", 2, 0, before + 2)


def test_a_removed_passthrough_stays_and_is_null_from_then_on(world: World) -> None:
    begin(world, FIRST, **CARRIED)
    report = run(world, FIRST, replace=True, **BARE)
    assert any("does not write: carrier" in warning for warning in report.warnings)
    assert carriers(world, FIRST) == {None}
    rollback(world.spark, world.settings(**BARE), as_of=FIRST, to="1")
    assert None not in carriers(world, FIRST)


def test_a_rollback_to_before_the_table_grew_has_null_there(world: World) -> None:
    begin(world, FIRST, **BARE)
    begin(world, FIRST, replace=True, **CARRIED)
    report, _ = rollback(world.spark, world.settings(**CARRIED), as_of=FIRST, to="1")
    assert (report.revision, carriers(world, FIRST)) == (3, {None})
