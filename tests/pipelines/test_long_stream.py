"""A stream of 200 micro-batches: the model is loaded once per worker, and the last ones are as fast as the first."""

import statistics
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from structlog.testing import capture_logs

from sparkscore.pipelines.stream import stream
from tests.world import World, source_rows

BATCHES, ROWS, SLOTS = 200, 1_000, 2


def test_two_hundred_micro_batches_load_the_model_once_per_worker_and_do_not_slow_down(world: World) -> None:
    world.write_source(source_rows(ROWS))
    spark, path = world.spark, world.path("flights")
    for number in range(1, BATCHES):
        rows = source_rows(ROWS, first=ROWS * number)
        write_deltalake(path, rows, mode="append")
    settings = world.settings(stream={"max_files_per_trigger": 1})
    with capture_logs() as logs:
        report = stream(spark, settings)
    told: list[dict[str, Any]] = [dict(line) for line in logs if line["event"] == "micro-batch"]
    assert report.batches == len(told) >= BATCHES
    assert report.rows_scored == BATCHES * ROWS
    assert 1 <= report.model_loads <= SLOTS
    seconds = [line["seconds"] for line in told]
    early, late = statistics.median(seconds[5:30]), statistics.median(seconds[-25:])
    told_s = f"first {seconds[0]}, early {early}, late {late}, slowest of the others {max(seconds[1:])}"
    assert late < 2, told_s
    assert late < 2 * early + 0.2, told_s
    rows = DeltaTable(world.path("predictions")).to_pyarrow_table(columns=["id", "as_of"])
    assert pc.count_distinct(rows["id"]).as_py() == rows.num_rows == BATCHES * ROWS
    assert pc.count_distinct(rows["as_of"]).as_py() == report.batches
