"""A budget on what is counted stops a run at a chunk: the work is kept and told, and the next attempt goes on."""

from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pydantic import ValidationError
from pyspark.sql import SparkSession

from sparkscore.errors import BudgetReached, ConfigError
from sparkscore.pipelines.score import score
from sparkscore.records import RunReport
from sparkscore.scoring import frame_writer, task_sizing
from sparkscore.scoring.counters import Counters
from tests.faults.models import Traps, watched_registry
from tests.world import AS_OF, Registry, World, assert_published, source_rows

ROWS = 600


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """A model that counts what is paid for it."""
    return watched_registry(tmp_path_factory.mktemp("watched"))


@pytest.fixture
def slow(
    spark: SparkSession, watched: tuple[Registry, Traps], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A source of two files, and a model as slow as can be: each task keeps one batch of 50 rows."""
    for module, name in ((frame_writer, "LONGEST_TASK_S"), (task_sizing, "TASK_S")):
        monkeypatch.setattr(module, name, 1e-9)
    world = World(spark, tmp_path / "home", watched[0])
    world.write_source(source_rows(ROWS))
    return world


def run(world: World, budgets: dict[str, float], **scoring: Any) -> RunReport:
    settings = world.settings(scoring={"batch_rows": 50, "budgets": budgets, **scoring})
    return score(world.spark, settings, as_of=AS_OF)


def staged_rows(world: World) -> int:
    (folder,) = (world.home / "stage" / "late-flights").iterdir()
    return int(DeltaTable(folder).to_pyarrow_table().num_rows)


@pytest.mark.parametrize("transport", ["scan", "arrow"])
def test_used_up_it_ends_with_75_tells_how_far_it_is_and_pays_no_row_twice(
    slow: World, watched: tuple[Registry, Traps], transport: str
) -> None:
    before, traps = watched[1].paid(), watched[1]
    with pytest.raises(BudgetReached, match=r"\d+ of 100 rows are used; \d+ rows of the source") as raised:
        run(slow, {"rows": 100}, transport=transport)
    kept = staged_rows(slow)
    assert (raised.value.exit_code, raised.value.retryable) == (75, True)
    assert 100 <= kept == traps.paid() - before < ROWS
    assert f"{kept} rows of the source" in str(raised.value)
    report = raised.value.report
    assert isinstance(report, RunReport)
    assert report.executors["rows"] == kept
    again = run(slow, {"rows": ROWS}, transport=transport)
    assert traps.paid() - before == ROWS
    assert_published(slow, again, source_rows(ROWS))


def test_each_attempt_has_the_whole_budget_until_all_is_done(slow: World, watched: tuple[Registry, Traps]) -> None:
    before, attempts = watched[1].paid(), 0
    while True:
        attempts += 1
        try:
            report = run(slow, {"rows": 200})
            break
        except BudgetReached:
            assert attempts < 5
    assert (attempts > 1, watched[1].paid() - before) == (True, ROWS)
    assert_published(slow, report, source_rows(ROWS))


def test_a_budget_that_the_last_rows_use_up_ends_nothing(slow: World) -> None:
    report = run(slow, {"rows": ROWS, "seconds": 3600})
    assert (report.status, report.warnings[1:]) == ("published", ())


def test_what_the_model_counts_itself_has_budgets_too(slow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counters, "model_counts", property(lambda self: {"tokens": 3 * self.rows}))
    with pytest.raises(BudgetReached, match=r"\d+ of 150 tokens are used"):
        run(slow, {"tokens": 150})


def test_a_name_that_nothing_counts_is_a_warning(slow: World) -> None:
    report = run(slow, {"tokens": 100})
    assert any("names tokens, which neither" in warning for warning in report.warnings)


def test_where_no_chunks_are_kept_a_budget_is_refused(slow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((ConfigError, ValidationError), match="budgets with the transport pandas_udf"):
        run(slow, {"rows": 100}, transport="pandas_udf")
    with pytest.raises((ConfigError, ValidationError), match="budgets"):
        run(slow, {"Rows": 100})
    monkeypatch.setattr("sparkscore.stage.stage_store.StageStore.location", None)
    with pytest.raises(ConfigError, match="written in one commit"):
        run(slow, {"rows": 100}, transport="arrow")
