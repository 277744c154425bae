"""Daft: read_parquet, a class with a method on batches in two processes, write."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import daft
import pandas as pd

from bench.ways.models import Onnx, Pyfunc
from bench.ways.serve import Answer, Turn, Way, serve

PROCESSES = 2
BATCH_ROWS = 16_384


def start() -> Mapping[str, Way]:
    """Daft's own runner on this machine."""
    daft.set_runner_native()
    return {"parquet": parquet}


def parquet(turn: Turn) -> Answer:
    """Scored and written by `write_parquet`."""
    path = str(Path(turn["out"], "predictions"))
    started = time.monotonic()
    _scored(turn).write_parquet(path)
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "parquet", "path": path}}


def _scored(turn: Turn) -> daft.DataFrame:
    model, features = turn["model"], turn["data"]["features"]
    scorer = {"onnx": OnnxScorer, "sklearn": PyfuncScorer}[model["flavour"]](model["path"], features)
    rows = daft.read_parquet(turn["data"]["files"])
    prediction = scorer.predict(*(rows[name] for name in features))
    return rows.select(rows["id"], prediction.alias("prediction"))


@daft.cls(max_concurrency=PROCESSES, use_process=True)
class OnnxScorer:
    """onnxruntime on columns."""

    def __init__(self, path: str, features: list[str]) -> None:
        self._model = Onnx(path)

    @daft.method.batch(return_dtype=daft.DataType.float32(), batch_size=BATCH_ROWS)
    def predict(self, *columns: daft.Series) -> Any:
        """Probabilities."""
        return self._model([column.to_arrow().to_numpy() for column in columns])


@daft.cls(max_concurrency=PROCESSES, use_process=True)
class PyfuncScorer:
    """MLflow's pyfunc on a frame."""

    def __init__(self, path: str, features: list[str]) -> None:
        self._model, self._features = Pyfunc(path), features

    @daft.method.batch(return_dtype=daft.DataType.float64(), batch_size=BATCH_ROWS)
    def predict(self, *columns: daft.Series) -> Any:
        """Probabilities."""
        arrays = [column.to_arrow().to_numpy() for column in columns]
        return self._model(pd.DataFrame(dict(zip(self._features, arrays, strict=True))))


if __name__ == "__main__":
    os.environ.setdefault("DO_NOT_TRACK", "1")
    serve(start)
