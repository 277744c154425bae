"""How often an attempt opens the Delta log of each table."""

from collections import Counter
from pathlib import Path

from sparkscore import score
from tests.world import World


def opens_by_table(world: World, paths: list[str]) -> Counter[str]:
    """Opens by the table's name; the stage's folder is named by a digest."""
    stage = str(world.home / "stage")
    return Counter("stage" if path.startswith(stage) else Path(path).name for path in paths)


def test_an_attempt_opens_each_log_once_and_none_by_spark(
    world: World, opened_logs: list[str], opened_tables: list[str]
) -> None:
    world.begin_with(as_of="2013-12-30")
    opened_logs.clear()
    opened_tables.clear()
    report = score(world.spark, world.settings(), as_of="2013-12-31")
    assert report.status == "published"
    assert opened_tables == []
    found = opens_by_table(world, opened_logs)
    # the stage is looked for, made by who commits the tasks' files, and read
    assert (found["flights"], found["predictions"], found["stage"]) == (1, 1, 3)


def test_an_attempt_that_finds_its_as_of_published_opens_each_log_once_and_none_by_spark(
    world: World, opened_logs: list[str], opened_tables: list[str]
) -> None:
    world.begin_with(as_of="2013-12-31")
    opened_logs.clear()
    opened_tables.clear()
    assert score(world.spark, world.settings(), as_of="2013-12-31").status == "already_published"
    assert opened_tables == []
    found = opens_by_table(world, opened_logs)
    assert (found["flights"], found["predictions"], found["stage"]) == (1, 1, 0)
