"""The checker itself: each thing that it looks for, it finds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore import score
from tests.faults.checker import Expected, check
from tests.faults.models import Traps
from tests.world import AS_OF, Registry, World, source_rows

Damage = Callable[[DeltaTable], object]
ROWS = source_rows(60)


@pytest.fixture(scope="module")
def home(spark: SparkSession, watched: tuple[Registry, Traps], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one undisturbed run has left."""
    world = World(spark, tmp_path_factory.mktemp("published") / "home", watched[0])
    world.registry.alias(1)
    world.write_source(ROWS)
    score(spark, world.settings(), as_of=AS_OF)
    return world.home


def again(table: DeltaTable, *, as_of_moves: bool = False) -> None:
    """Some rows once more, of this as_of or of a new one."""
    rows = table.to_pyarrow_table().slice(0, 2)
    if as_of_moves:
        place = rows.schema.get_field_index("as_of")
        moved = pa.array(
            [moment.replace(hour=7) for moment in rows["as_of"].to_pylist()], rows.schema.field(place).type
        )
        rows = rows.set_column(place, rows.schema.field(place), moved)
    write_deltalake(table.table_uri, rows, mode="append")


def update(predicate: str | None, **values: str) -> Damage:
    return lambda table: table.update(updates=values, predicate=predicate)


PREDICTIONS: list[tuple[Damage, str]] = [
    (again, "keys twice"),
    (lambda table: again(table, as_of_moves=True), "other as_ofs"),
    (lambda table: table.delete("id = 7"), "other keys"),
    (update("id = 7", id="-1"), "other keys"),
    (update("id = 7", prediction="prediction + 1e-9"), "Not equal to tolerance"),
    (update("id = 7", prediction="NULL"), "nan|NaN"),
    (update("id = 7", carrier="'XX'"), "other pass-through"),
    (update("id = 7", model_version="'2'"), "other models"),
    (update("id = 7", run_id="'another'"), "2 runs"),
    (update(None, run_id="'another'"), "no commit of the run another"),
]
EVENTS: list[tuple[Damage, str]] = [
    (lambda table: table.delete("event = 'published'"), "attempts without an end"),
    (update("event = 'published'", event="'aborted'"), "no event says"),
    (update("event = 'published'", rows_read="rows_read + 1"), "2013-12-31: .*61"),
    (update("event = 'published'", at="at - interval '1 hour'"), "no end"),
]


@pytest.mark.parametrize(
    ("table", "damage", "said"),
    [*(("predictions", *one) for one in PREDICTIONS), *(("predictions_runs", *one) for one in EVENTS)],
)
def test_it_finds_what_is_wrong(
    home: Path, watched: tuple[Registry, Traps], tmp_path: Path, table: str, damage: Damage, said: str
) -> None:
    mine = tmp_path / "home"
    shutil.copytree(home / "tables", mine / "tables")
    check(mine, watched[0], [Expected(ROWS)])
    damage(DeltaTable(str(mine / "tables" / table)))
    with pytest.raises(AssertionError, match=said):
        check(mine, watched[0], [Expected(ROWS)])


def test_it_finds_two_commits_of_a_run(home: Path, watched: tuple[Registry, Traps], tmp_path: Path) -> None:
    log = tmp_path / "home" / "tables" / "predictions" / "_delta_log"
    shutil.copytree(home / "tables", tmp_path / "home" / "tables")
    commit = (log / f"{1:020}.json").read_text().splitlines()
    (log / f"{2:020}.json").write_text("\n".join(line for line in commit if '"commitInfo"' in line))
    with pytest.raises(AssertionError, match="more than one commit"):
        check(tmp_path / "home", watched[0], [Expected(ROWS)])


@pytest.mark.parametrize("wrong", [Expected(ROWS, version=2), Expected(ROWS, rejected=1), Expected(ROWS, "2014-01-01")])
def test_it_finds_what_is_not_as_expected(home: Path, watched: tuple[Registry, Traps], wrong: Expected) -> None:
    with pytest.raises(AssertionError):
        check(home, watched[0], [wrong])
