"""Texts of 64 MB beside small rows, on every transport."""

from pathlib import Path
from typing import Any

import pytest

from sparkscore import score
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World

SIZE = 64 << 20


@pytest.mark.parametrize("transport", ["scan", "arrow", "pandas_udf"])
def test_two_of_64_mb_beside_small_ones_are_scored_in_batches_that_are_cut_by_bytes(
    world: World, tmp_path: Path, transport: str
) -> None:
    def count_characters(frame: Any) -> Any:
        return frame["text"].str.len().astype("float64")

    rows = world.spark.range(8).selectExpr("id", f"if(id in (2, 5), repeat('x', {SIZE}), 'small') text")
    rows.coalesce(1).write.format("delta").save(world.path("texts"))
    shelf = Shelf(tmp_path)
    uri = shelf.put("length", Answers(count_characters), signature(columns(text="string"), tensor("float64")))
    settings = world.settings(
        source={"table": "texts", "passthrough": []},
        model={"uri": uri, "tracking_uri": shelf.uri},
        output={"threshold": None},
        scoring={"transport": transport},
    )
    report = score(world.spark, settings, as_of=AS_OF)
    assert world.predictions()["prediction"].tolist() == [SIZE if key in (2, 5) else 5 for key in range(8)]
    assert report.transport == transport
    assert report.executors["batches"] > 1
