"""A model that has no answer for some rows: what a whole job does about it."""

from pathlib import Path
from typing import Any

import pytest
from mlflow.types import ColSpec, Schema

from sparkscore.errors import ConfigError, GateFailed
from sparkscore.pipelines.score import score
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

OUTPUTS = Schema([ColSpec("double", "risk"), ColSpec("double", "spare", required=False)])


def settings(world: World, shelf: Shelf, uri: str, **groups: Any) -> Any:
    return world.settings(model={"uri": uri, "tracking_uri": shelf.uri}, **{"output": {"threshold": None}, **groups})


def test_a_part_that_must_be_there_stops_the_run_and_once_opened_the_same_stage_is_published(
    world: World, tmp_path: Path
) -> None:
    def answer(frame: Any) -> Any:
        return {"risk": frame["x1"].where(frame["x1"] > 0), "spare": frame["x2"].where(frame["x2"] > 0)}

    shelf = Shelf(tmp_path)
    uri = shelf.put("sparse", Answers(answer), signature(columns(x1="double", x2="double"), OUTPUTS))
    rows = source_rows().to_pylist()
    missing = sum(row["x1"] <= 0 for row in rows)
    with pytest.raises(GateFailed) as caught:
        score(world.spark, settings(world, shelf, uri), as_of=AS_OF)
    assert caught.value.found.startswith(
        f"{missing} of 60 scored rows without a prediction (prediction.risk: {missing}), for example id=0; id="
    )
    assert "output.allow_null: [prediction.risk]" in caught.value.do
    assert world.version() == -1
    opened = settings(world, shelf, uri, output={"threshold": None, "allow_null": ["risk"]})
    report = score(world.spark, opened, as_of=AS_OF)
    assert (report.status, report.rows_scored, report.model_loads) == ("published", 60, 0)
    seen = {row["id"]: tuple(row["prediction"]) for row in world.table().select("id", "prediction").collect()}
    assert seen == {row["id"]: tuple(row[x] if row[x] > 0 else None for x in ("x1", "x2")) for row in rows}


def test_what_cannot_be_published_is_refused_before_anything_is_scored(world: World, tmp_path: Path) -> None:
    def answer(frame: Any) -> Any:
        raise AssertionError

    shelf = Shelf(tmp_path)
    signed = signature(columns(x1="double", x2="double"), tensor("float64", 3))
    uri = shelf.put("classes", Answers(answer), signed)
    with pytest.raises(ConfigError, match=r"output.threshold=0.5 with a model that returns .* of 3 numbers"):
        score(world.spark, settings(world, shelf, uri, output={"threshold": 0.5}), as_of=AS_OF)
    with pytest.raises(ConfigError, match=r"output.allow_null names risk: .* has no such part"):
        score(world.spark, settings(world, shelf, uri, output={"threshold": None, "allow_null": ["risk"]}), as_of=AS_OF)
    assert not Path(world.path("predictions_runs")).exists()
