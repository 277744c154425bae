"""Rows with equal inputs get one prediction: inputs are predicted once per run, and never again across runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pydantic import ValidationError
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, DeadlinePassed
from sparkscore.pipelines.backfill import backfill
from sparkscore.pipelines.maintain import maintain
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.stream import stream
from sparkscore.records import RunReport
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.scoring import task_sizing
from tests.faults.models import Traps, watched_registry
from tests.faults.points import around
from tests.world import AS_OF, MODEL, SOURCE, Registry, World, assert_published, source_rows

ROWS, DIFFERENT = 60, 12
LATER = "2014-01-31"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """A model that counts what is paid for it."""
    return watched_registry(tmp_path_factory.mktemp("watched"))


def repeated_rows(different: int = DIFFERENT, *, moved: int = 0) -> pa.Table:
    """60 rows of few different inputs. `moved`: so many rows have inputs that no other has."""
    rows, others = source_rows(ROWS), source_rows(ROWS, first=1000)
    picked = [others["x1"][i] if i < moved else rows["x1"][i % different] for i in range(ROWS)]
    second = [others["x2"][i] if i < moved else rows["x2"][i % different] for i in range(ROWS)]
    return pa.table([rows["id"], rows["carrier"], pa.array(picked), pa.array(second)], schema=SOURCE)


class Paid:
    """What a block has made the model predict."""

    def __init__(self, traps: Traps) -> None:
        self._traps, self._before = traps, traps.paid()

    @property
    def rows(self) -> int:
        """Since it was made."""
        return self._traps.paid() - self._before


@pytest.fixture
def repeated(spark: SparkSession, watched: tuple[Registry, Traps], tmp_path: Path) -> Iterator[World]:
    """A source of 60 rows with 12 different inputs."""
    watched[0].alias(1)
    world = World(spark, tmp_path / "home", watched[0])
    world.write_source(repeated_rows())
    yield world
    watched[1].free()


@pytest.fixture
def paid(watched: tuple[Registry, Traps], repeated: World) -> Paid:
    """What the test pays."""
    return Paid(watched[1])


def run(world: World, as_of: str = AS_OF, *, reuse: bool = True, **groups: Any) -> RunReport:
    flags = {name: groups.pop(name) for name in ("restart", "replace") if name in groups}
    model = {"reuse": reuse, **groups.pop("model", {})}
    return score(world.spark, world.settings(model=model, **groups), as_of=as_of, **flags)


def kept_predictions(world: World) -> pd.DataFrame:
    found: pd.DataFrame = DeltaTable(world.path("predictions_reused")).to_pandas()
    return found


def test_equal_inputs_are_predicted_once_per_run_and_never_again_in_later_runs(repeated: World, paid: Paid) -> None:
    first = run(repeated)
    assert (paid.rows, first.predicted_rows, first.reused_rows) == (DIFFERENT, DIFFERENT, ROWS - DIFFERENT)
    assert (first.transport, first.rows_scored) == ("scan", ROWS)
    assert_published(repeated, first, repeated_rows())
    kept = kept_predictions(repeated)
    assert (len(kept), kept["inputs_hash"].nunique(), kept["scorer"].nunique()) == (DIFFERENT, DIFFERENT, 1)
    assert set(kept["run_id"]) == {first.run_id}
    second = run(repeated, LATER)
    assert (paid.rows, second.predicted_rows, second.reused_rows, second.model_loads) == (DIFFERENT, 0, ROWS, 0)
    assert_published(repeated, second, repeated_rows(), as_of=LATER)


def test_one_changed_input_is_one_call_and_another_model_predicts_all_of_them(repeated: World, paid: Paid) -> None:
    run(repeated)
    repeated.write_source(repeated_rows(moved=1))
    changed = run(repeated, LATER)
    assert (paid.rows, changed.predicted_rows) == (DIFFERENT + 1, 1)
    repeated.registry.alias(2)
    other = run(repeated, "2014-02-28")
    assert (other.predicted_rows, paid.rows) == (DIFFERENT + 1, 2 * (DIFFERENT + 1))
    assert_published(repeated, other, repeated_rows(moved=1), version=2, as_of="2014-02-28")


def test_without_it_nothing_of_it_is_there(repeated: World, paid: Paid) -> None:
    report = run(repeated, reuse=False)
    assert (paid.rows, report.predicted_rows, report.reused_rows) == (ROWS, None, None)
    assert not Path(repeated.path("predictions_reused")).exists()


@contextmanager
def ended_after_a_chunk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A block that the deadline ends once a chunk of predictions is kept."""
    seen: list[int] = []

    def check(_: RunLimits, *, rejected: int) -> None:
        if seen:
            raise DeadlinePassed("the run's time is over")

    with monkeypatch.context() as patch:
        patch.setattr(task_sizing, "TASK_S", 1e-9)
        patch.setattr(RunLimits, "check", check)
        where = "sparkscore.store.reused_predictions:ReusedPredictions.append"
        with contextmanager(around)(where, after=lambda: seen.append(1)), pytest.raises(DeadlinePassed):
            yield


CHUNKS: dict[str, Any] = {"scoring": {"batch_rows": 2, "chunk_minutes": 1e-9}}


def test_stopped_between_chunks_it_pays_for_no_input_twice(
    repeated: World, paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ended_after_a_chunk(monkeypatch):
        run(repeated, **CHUNKS)
    kept = len(kept_predictions(repeated))
    assert 0 < kept < DIFFERENT
    report = run(repeated, **CHUNKS)
    assert (paid.rows, report.attempt, report.predicted_rows) == (DIFFERENT, 2, DIFFERENT)
    assert_published(repeated, report, repeated_rows())


def test_what_a_stopped_run_has_kept_serves_a_run_with_other_pins_too(
    repeated: World, paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ended_after_a_chunk(monkeypatch):
        run(repeated, **CHUNKS)
    kept = len(kept_predictions(repeated))
    repeated.write_source(repeated_rows(moved=1))
    report = run(repeated, restart=True)
    assert (report.predicted_rows, paid.rows) == (DIFFERENT + 1 - kept, DIFFERENT + 1)
    assert_published(repeated, report, repeated_rows(moved=1))


@contextmanager
def once_before(where: str, deed: Callable[[], object]) -> Iterator[None]:
    once = iter([deed])
    with contextmanager(around)(where, before=lambda: [one() for one in once]):
        yield
    assert next(once, None) is None


def test_two_runs_at_once_may_predict_an_input_twice_and_both_publish_each_row_once(
    repeated: World, paid: Paid
) -> None:
    with once_before("sparkscore.store.reused_predictions:ReusedPredictions.append", lambda: run(repeated, LATER)):
        report = run(repeated)
    assert (paid.rows, len(kept_predictions(repeated))) == (2 * DIFFERENT, 2 * DIFFERENT)
    assert_published(repeated, report, repeated_rows())
    assert len(repeated.predictions(as_of=LATER)) == ROWS
    before = paid.rows
    assert run(repeated, "2014-02-28").predicted_rows == paid.rows - before == 0


def test_rejects_are_the_same_as_without_it_and_are_tried_again_by_the_next_run(
    repeated: World, paid: Paid, watched: tuple[Registry, Traps]
) -> None:
    rows = repeated_rows()
    ids = [None if i in (3, 30) else i for i in range(ROWS)]
    repeated.write_source(rows.set_column(0, SOURCE.field("id"), pa.array(ids, pa.int64())))
    watched[1].hate(0.9)
    limit: dict[str, Any] = {"scoring": {"max_reject_ratio": 1.0}}
    found: dict[bool, Any] = {}
    for reuse, as_of in ((True, AS_OF), (False, LATER)):
        report = run(repeated, as_of, reuse=reuse, **limit)
        rejects = repeated.table("predictions_rejects").where(f"run_id = '{report.run_id}'").toPandas()
        constant = [column.name for column in LINEAGE_COLUMNS]
        found[reuse] = (
            report.rows_scored,
            report.rows_rejected,
            repeated.predictions(as_of=as_of).drop(columns=constant),
            sorted(map(str, rejects.drop(columns=constant, errors="ignore").to_numpy().tolist())),
        )
    assert found[True][:2] == found[False][:2]
    assert found[True][1] > 2
    pd.testing.assert_frame_equal(found[True][2], found[False][2], rtol=1e-12, atol=0)  # batches differ
    assert found[True][3] == found[False][3]
    watched[1].free()
    report = run(repeated, "2014-02-28", **limit)
    assert (report.rows_rejected, (report.predicted_rows or 0) > 0) == (2, True)


def test_predictions_that_no_run_has_used_for_long_are_removed_and_used_ones_stay(repeated: World, paid: Paid) -> None:
    run(repeated)
    repeated.write_source(repeated_rows(6))
    table = repeated.path("predictions_reused")
    today = datetime.now(UTC).date()
    old = today - timedelta(days=40)
    DeltaTable(table).update({"used_on": f"CAST('{old}' AS DATE)"})
    run(repeated, LATER)
    assert sorted(kept_predictions(repeated)["used_on"].unique()) == [old, today]
    settings = repeated.settings(model={"reuse": True, "reuse_days": 30})
    assert maintain(repeated.spark, settings, dry_run=True).reused_expired == 6
    assert maintain(repeated.spark, settings).reused_expired == 6
    assert (len(kept_predictions(repeated)), run(repeated, "2014-02-28").predicted_rows) == (6, 0)


def test_challengers_are_scored_without_it(repeated: World, paid: Paid) -> None:
    report = run(repeated, challengers=[{"uri": f"models:/{MODEL}/2"}])
    assert (report.predicted_rows, paid.rows) == (DIFFERENT, DIFFERENT + ROWS)
    assert [one.error for one in report.challengers] == [None]


@pytest.mark.slow
def test_a_run_of_what_has_changed_predicts_the_inputs_among_it_that_are_new(repeated: World, paid: Paid) -> None:
    source = {"read": "changes"}
    run(repeated, source=source)
    rows = repeated_rows(moved=3)
    more = rows.slice(0, 5).set_column(0, rows.schema.field(0), pa.array(range(100, 105), rows["id"].type))
    repeated.write_source(more, mode="append")  # three inputs that are new, two that are known
    changed = run(repeated, LATER, source=source)
    assert (changed.rows_scored, changed.predicted_rows, changed.reused_rows) == (5, 3, 2)
    assert paid.rows == DIFFERENT + 3
    assert_published(repeated, changed, more, as_of=LATER)


@pytest.mark.slow
def test_each_micro_batch_of_a_stream_reuses_what_those_before_it_have_predicted(repeated: World, paid: Paid) -> None:
    settings = repeated.settings(model={"reuse": True}, stream={"max_files_per_trigger": 2})
    assert stream(repeated.spark, settings).rows_scored == ROWS
    assert paid.rows == DIFFERENT
    rows = repeated_rows(moved=1)
    repeated.write_source(rows.set_column(0, rows.schema.field(0), pa.array(range(ROWS, 2 * ROWS))), mode="append")
    assert stream(repeated.spark, settings).rows_scored == ROWS
    assert paid.rows == DIFFERENT + 1


@pytest.mark.slow
def test_the_days_of_a_backfill_share_predictions(repeated: World, paid: Paid) -> None:
    settings = repeated.settings(model={"reuse": True})
    report = backfill(
        repeated.spark, settings, first="2014-01-01", last="2014-01-03", source="as_it_is", model="as_it_is"
    )
    assert [run.status for run in report.runs] == ["published"] * 3
    assert paid.rows == DIFFERENT
    for day in (1, 2, 3):
        assert len(repeated.predictions(as_of=f"2014-01-0{day}")) == ROWS


def test_one_model_per_group_is_refused(repeated: World) -> None:
    model = {"uri": "models:/late-{carrier}@champion", "by": ["carrier"]}
    with pytest.raises((ConfigError, ValidationError), match="reuse is for one model"):
        run(repeated, model=model)
