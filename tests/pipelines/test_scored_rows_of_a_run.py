"""A model that says more than predictions: what a whole job makes of its rejects and counts, on every transport."""

import json
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from deltalake import DeltaTable
from mlflow.pyfunc.model import PythonModel

from sparkscore import TooManyRejects, retry_rejects, score
from sparkscore.records import RunReport
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

ROWS = source_rows()
NEGATIVE = [row["id"] for row in ROWS.to_pylist() if row["x1"] < 0]


class Halves(PythonModel):
    """Half of x1, asynchronously; rows below 0 are rejected. At the end of a task it says that one has ended."""

    async def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        import asyncio

        from sparkscore import RowReject, ScoredRows

        await asyncio.sleep(0)
        values = model_input["x1"].to_numpy()
        rejects = {place: RowReject("below_zero", "x1 is below 0") for place, value in enumerate(values) if value < 0}
        return ScoredRows([None if value < 0 else value / 2 for value in values], rejects, {"tokens": 3 * len(values)})

    def end_task(self) -> dict[str, int]:
        return {"tasks": 1}


def run(world: World, folder: Path, model: Any, *, residency: str = "worker", **scoring: Any) -> RunReport:
    shelf = Shelf(folder)
    uri = shelf.put("halves", model, signature(columns(x1="double"), tensor("float64")))
    settings = world.settings(
        model={"uri": uri, "tracking_uri": shelf.uri, "residency": residency},
        scoring={"max_reject_ratio": 0.9} | scoring,
        output={"threshold": None},
    )
    return score(world.spark, settings, as_of=AS_OF)


@pytest.mark.parametrize(
    ("transport", "residency"),
    [
        ("scan", "worker"),
        ("arrow", "worker"),
        ("pandas_udf", "worker"),
        pytest.param("scan", "executor", marks=pytest.mark.slow),
    ],
)
def test_its_rejects_are_rejects_of_the_run_and_its_counts_stand_in_the_result(
    world: World, tmp_path: Path, transport: str, residency: str
) -> None:
    report = run(world, tmp_path, Halves(), transport=transport, residency=residency)
    assert (report.status, report.transport) == ("published", transport)
    assert (report.rows_scored, report.rows_rejected) == (60 - len(NEGATIVE), len(NEGATIVE))
    tasks = report.model_counts["tasks"]
    assert 1 <= tasks <= 2  # of two files
    assert report.model_counts == {"tasks": tasks, "tokens": 180}
    assert json.loads(report.to_json())["model_counts"] == report.model_counts
    assert not any("tokens" in name for name in report.executors)
    rejects = world.table("predictions_rejects").collect()
    assert {(row["code"], row["error"], row["message"]) for row in rejects} == {("below_zero", None, "x1 is below 0")}
    assert {row["key"] for row in rejects} == {f'{{"id":{one}}}' for one in NEGATIVE}
    seen = world.predictions()
    np.testing.assert_array_equal(seen["prediction"], ROWS["x1"].to_numpy()[seen["id"]] / 2)
    events = DeltaTable(world.path("predictions_runs")).to_pyarrow_table().to_pylist()
    published = next(json.loads(one["details"]) for one in events if one["event"] == "published")
    assert published["model_counts"] == report.model_counts


def test_reject_limits_hold_for_them_and_what_was_counted_is_told_all_the_same(world: World, tmp_path: Path) -> None:
    with pytest.raises(TooManyRejects):
        run(world, tmp_path, Halves(), max_reject_ratio=0.1)
    assert world.version() == -1
    events = DeltaTable(world.path("predictions_runs")).to_pyarrow_table().to_pylist()
    failed = next(json.loads(one["details"]) for one in events if one["event"] == "failed")
    assert failed["model_counts"]["tokens"] > 0


def test_a_retry_of_the_rejects_asks_the_model_again(world: World, tmp_path: Path) -> None:
    (tmp_path / "is_open").touch()

    def only_when_open(frame: Any, marker: str = str(tmp_path / "is_open")) -> Any:
        import os

        from sparkscore import RowReject, ScoredRows

        places = () if os.path.exists(marker) else np.flatnonzero(frame["x1"] < 0)  # noqa: PTH110  pickled
        return ScoredRows(frame["x1"] / 2, {int(place): RowReject("closed") for place in places}, {"calls": 1})

    (tmp_path / "is_open").unlink()
    report = run(world, tmp_path, Answers(only_when_open))
    assert report.rows_rejected == len(NEGATIVE)
    (tmp_path / "is_open").touch()
    shelf = Shelf(tmp_path)
    settings = world.settings(
        model={"uri": "models:/halves/1", "tracking_uri": shelf.uri},
        scoring={"max_reject_ratio": 0.9},
        output={"threshold": None},
    )
    repaired = retry_rejects(world.spark, settings, run=str(report.run_id))
    assert (repaired.status, repaired.rows_scored, repaired.rows_rejected) == ("published", 60, 0)
    assert repaired.model_counts["calls"] > 0
    np.testing.assert_array_equal(world.predictions()["prediction"], ROWS["x1"].to_numpy() / 2)


@pytest.mark.parametrize("transport", ["scan", pytest.param("arrow", marks=pytest.mark.slow)])
def test_a_challenger_has_rejects_and_counts_of_its_own_and_hears_of_the_end_of_its_tasks(
    world: World, tmp_path: Path, transport: str
) -> None:
    shelf = Shelf(tmp_path)
    champion = shelf.put(
        "plain", Answers(lambda frame: frame["x1"]), signature(columns(x1="double"), tensor("float64"))
    )
    challenger = shelf.put("halves", Halves(), signature(columns(x1="double"), tensor("float64")))
    settings = world.settings(
        model={"uri": champion, "tracking_uri": shelf.uri},
        scoring={"max_reject_ratio": 0.9, "transport": transport},
        output={"threshold": None},
        challengers=[{"uri": challenger}],
    )
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.rows_rejected, report.model_counts) == (0, {})
    (told,) = report.challengers
    assert (told.status, told.in_pass, told.rejects) == ("published", True, len(NEGATIVE))
    assert told.model_counts["tokens"] == 180
    assert 1 <= told.model_counts["tasks"] <= 2
