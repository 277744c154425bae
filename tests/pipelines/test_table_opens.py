"""How often an attempt opens the Delta log of each table."""

from collections import Counter
from pathlib import Path

from sparkscore import score
from tests.world import World


def opens_by_table(world: World, opened_tables: list[str]) -> Counter[str]:
    """Opens by the table's name; the stage's folder is named by a digest."""
    stage = str(world.home / "stage")
    return Counter("stage" if path.startswith(stage) else Path(path).name for path in opened_tables)


def test_an_attempt_opens_each_log_once_and_the_prediction_tables_anew_before_it_publishes(
    world: World, opened_tables: list[str]
) -> None:
    world.begin_with(as_of="2013-12-30")
    opened_tables.clear()
    report = score(world.spark, world.settings(), as_of="2013-12-31")
    assert report.status == "published"
    once = {"flights": 1, "stage": 1, "predictions_runs": 1}
    # for the decision, for the check before the publication, and in the session of the MERGE
    assert opens_by_table(world, opened_tables) == {**once, "predictions": 3}


def test_an_attempt_that_finds_its_as_of_published_opens_each_log_once(world: World, opened_tables: list[str]) -> None:
    world.begin_with(as_of="2013-12-31")
    opened_tables.clear()
    assert score(world.spark, world.settings(), as_of="2013-12-31").status == "already_published"
    assert opens_by_table(world, opened_tables) == {"flights": 1, "predictions": 1, "predictions_runs": 1}
