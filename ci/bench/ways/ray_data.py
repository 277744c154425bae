"""Ray Data: read_parquet, map_batches with a pool of two actors, write."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray.data import ActorPoolStrategy, Dataset

from bench.ways.models import Onnx, Pyfunc
from bench.ways.serve import Answer, Turn, Way, serve

ACTORS = 2
LOGICAL_CPUS = 4
"""Two for the actors and two for reading and writing: with two in all, the actors leave nothing for reading."""
BATCH_ROWS = 16_384


def start() -> Mapping[str, Way]:
    """Ray on this machine."""
    ray.init(num_cpus=LOGICAL_CPUS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return {"parquet": parquet, "delta": delta}


def parquet(turn: Turn) -> Answer:
    """Scored and written by `write_parquet`."""
    path = str(Path(turn["out"], "predictions"))
    started = time.monotonic()
    _scored(turn).write_parquet(path)
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "parquet", "path": path}}


def delta(turn: Turn) -> Answer:
    """Scored, and written by deltalake as the batches come."""
    import pyarrow as pa
    from deltalake import write_deltalake

    path = str(Path(turn["out"], "predictions"))
    started = time.monotonic()
    batches = _scored(turn).iter_batches(batch_size=None, batch_format="pyarrow")
    first = next(iter_ := iter(batches))
    rest = (batch for table in (first, *iter_) for batch in table.to_batches())
    write_deltalake(path, pa.RecordBatchReader.from_batches(first.schema, rest), mode="overwrite")
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "delta", "path": path}}


def _scored(turn: Turn) -> Dataset:
    model, features = turn["model"], turn["data"]["features"]
    rows = ray.data.read_parquet(turn["data"]["files"], columns=["id", *features])
    return rows.map_batches(
        {"onnx": _Onnx, "sklearn": _Pyfunc}[model["flavour"]],
        fn_constructor_args=(model["path"], features),
        batch_size=BATCH_ROWS,
        batch_format="numpy" if model["flavour"] == "onnx" else "pandas",
        compute=ActorPoolStrategy(size=ACTORS),
        num_cpus=1,
    )


class _Onnx:
    def __init__(self, path: str, features: list[str]) -> None:
        self._model, self._features = Onnx(path), features

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        columns = [batch[name] for name in self._features]
        return {"id": batch["id"], "prediction": self._model(columns)}


class _Pyfunc:
    def __init__(self, path: str, features: list[str]) -> None:
        self._model, self._features = Pyfunc(path), features

    def __call__(self, batch: Any) -> Any:
        return batch[["id"]].assign(prediction=self._model(batch[self._features]))


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    serve(start)
