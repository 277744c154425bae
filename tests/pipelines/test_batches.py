"""Batches of whole runs: a model that has no memory for large ones, on every transport; what the settings bound."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkscore import score, score_udf
from sparkscore.pipelines.scoring import remembered_batches
from sparkscore.records import BatchLimits, RunReport
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

ROOM = 10
"""More rows than these have no room in memory."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def put_model(shelf: Shelf, folder: Path) -> tuple[str, Path]:
    """A model that keeps the rows of each of its calls in a file of its process, and raises where they are too many."""
    calls, room = folder / "calls", ROOM
    calls.mkdir()

    def answer(frame: Any) -> Any:
        import os

        with (calls / str(os.getpid())).open("a") as file:
            file.write(f"{len(frame)}\n")
        if len(frame) > room:
            raise MemoryError("no room")
        return frame["x1"] + frame["x2"]

    signed = signature(columns(x1="double", x2="double"), tensor("float64"))
    return shelf.put("roomy", Answers(answer), signed), calls


def calls_by_process(calls: Path) -> dict[str, list[int]]:
    return {file.name: [int(line) for line in file.read_text().split()] for file in calls.iterdir()}


def run(world: World, shelf: Shelf, uri: str, **groups: Any) -> RunReport:
    model = {"uri": uri, "tracking_uri": shelf.uri, **groups.pop("model", {})}
    as_of = groups.pop("as_of", AS_OF)
    return score(world.spark, world.settings(model=model, output={"threshold": None}, **groups), as_of=as_of)


def assert_all_rows(world: World, rows: pa.Table) -> None:
    seen = world.predictions()
    assert seen["id"].tolist() == rows["id"].to_pylist()
    expected = [x1 + x2 for x1, x2 in zip(rows["x1"].to_pylist(), rows["x2"].to_pylist(), strict=True)]
    assert seen["prediction"].tolist() == pytest.approx(expected, abs=1e-12)


def assert_stays_halved(found: dict[str, list[int]], *, workers: int = 1) -> int:
    """No worker tries a size again that had no room; how many had none."""
    refused = 0
    for sizes in found.values():
        counts = Counter(size for size in sizes if size > ROOM)
        assert max(counts.values()) <= workers
        assert len(counts) <= 4
        assert sizes.count(max(size for size in sizes if size <= ROOM)) > workers  # all that follow are as large
        refused += counts.total()
    return refused


@pytest.mark.parametrize(
    ("transport", "residency"), [("scan", "worker"), ("arrow", "executor"), ("pandas_udf", "worker")]
)
def test_where_memory_runs_out_batches_become_smaller_and_stay_so_and_every_row_is_published(
    world: World, shelf: Shelf, tmp_path: Path, transport: str, residency: str
) -> None:
    uri, calls = put_model(shelf, tmp_path)
    report = run(world, shelf, uri, model={"residency": residency}, scoring={"transport": transport})
    assert (report.status, report.transport, report.rows_scored, report.rows_rejected) == (
        "published",
        transport,
        60,
        0,
    )
    assert_all_rows(world, source_rows())
    refused = assert_stays_halved(calls_by_process(calls), workers=2 if residency == "executor" else 1)
    assert report.executors["batches_halved"] == refused > 0
    assert report.executors["batch_rows_max"] <= ROOM
    (event,) = world.table("predictions_runs").where("event = 'published'").collect()
    assert f'"batches_halved": {refused}' in event["details"]


def test_the_next_run_begins_with_what_this_one_has_found(
    world: World, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalled: list[BatchLimits] = []

    def recall(*arguments: Any) -> BatchLimits:
        recalled.append(remembered_batches.recall_batch_limits(*arguments))
        return recalled[-1]

    monkeypatch.setattr("sparkscore.pipelines.score.recall_batch_limits", recall)
    monkeypatch.setattr(remembered_batches, "_LEAST_ROWS", 1)
    uri, _ = put_model(shelf, tmp_path)
    report = run(world, shelf, uri, scoring={"batch_bytes": 8_000})
    run(world, shelf, uri, scoring={"batch_bytes": 8_000}, as_of="2014-01-31")
    found = int(report.executors["batch_rows"])
    least = int(report.executors["batch_rows_min"])
    assert recalled == [BatchLimits(bytes=8_000), BatchLimits(bytes=8_000, known_rows=found, most_rows=least)]


def test_the_public_function_halves_batches_too(world: World, shelf: Shelf, tmp_path: Path) -> None:
    uri, calls = put_model(shelf, tmp_path)
    model = score_udf(world.spark, uri, tracking_uri=shelf.uri)
    rows = source_rows()
    found = world.spark.createDataFrame(rows).coalesce(1).withColumn("sum", model("x1", "x2")).collect()
    assert [row["sum"] for row in found] == [row["x1"] + row["x2"] for row in found]
    assert len(found) == rows.num_rows
    assert assert_stays_halved(calls_by_process(calls)) == 3  # 60, 30, 15


def test_the_settings_bound_batches_by_rows_and_by_bytes(world: World, shelf: Shelf, tmp_path: Path) -> None:
    uri, calls = put_model(shelf, tmp_path)
    report = run(world, shelf, uri, scoring={"batch_rows": 20, "batch_bytes": 16 * 8, "transport": "arrow"})
    assert_all_rows(world, source_rows())
    assert max(size for sizes in calls_by_process(calls).values() for size in sizes) <= 8
    assert "batches_halved" not in report.executors
    assert not [text for text in report.warnings if "batch_bytes" in text]


def test_a_bound_of_bytes_that_no_row_is_within_is_a_warning_and_rows_go_one_by_one(
    world: World, shelf: Shelf, tmp_path: Path
) -> None:
    uri, calls = put_model(shelf, tmp_path)
    report = run(world, shelf, uri, scoring={"batch_bytes": 15})
    assert_all_rows(world, source_rows())
    assert {size for sizes in calls_by_process(calls).values() for size in sizes} == {1}
    assert [
        text for text in report.warnings if "batch_bytes is 15, and a row of the model's inputs has 16 bytes" in text
    ]
