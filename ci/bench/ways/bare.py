"""The limit: as many processes as cores, each pyarrow and the model's runtime, nothing else between file and file."""

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench.ways.serve import Answer, Turn, Way, serve

Predict = Callable[[pa.RecordBatch], npt.NDArray[Any]]

GRID: tuple[dict[str, Any], ...] = tuple(
    {"batch_rows": rows, **reader}
    for rows in (8_192, 20_000, 65_536)
    for reader in (
        {"pre_buffer": False, "buffer_size": 1 << 20},
        {"pre_buffer": True},
        {"pre_buffer": False, "memory_map": True},
        {"pre_buffer": True, "use_threads": True},
    )
)
"""Ways of reading that are tried before the first round; the fastest is used from then on."""


def start() -> Mapping[str, Way]:
    """As many waiting processes as there are cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # one pool per core: which of them works on which share is then certain, and so is that its model is loaded
    spawn = multiprocessing.get_context("spawn")
    pools = [ProcessPoolExecutor(1, mp_context=spawn) for _ in range(cores)]
    return {"bare": lambda turn: scored(turn, pools), "tune": lambda turn: tuned(turn, pools)}


def tuned(turn: Turn, pools: list[ProcessPoolExecutor]) -> Answer:
    """The fastest way of reading for this model: the best of two passes each, nothing written."""
    seconds = {
        place: min(_timed({**turn, "options": {**reader, "write": False}}, pools)[0] for _ in range(2))
        for place, reader in enumerate(GRID)
    }
    best = min(seconds, key=seconds.__getitem__)
    tried = [{**reader, "seconds": round(seconds[place], 3)} for place, reader in enumerate(GRID)]
    return {"seconds": seconds[best], "rows": None, "output": {"kind": "none"}, "best": GRID[best], "tried": tried}


def scored(turn: Turn, pools: list[ProcessPoolExecutor]) -> Answer:
    """Reads, scores and, where `write` is set, writes one file per process."""
    seconds, rows = _timed(turn, pools)
    kind = "parquet" if turn["options"]["write"] else "none"
    return {"seconds": seconds, "rows": rows, "output": {"kind": kind, "path": turn["out"]}}


def _timed(turn: Turn, pools: list[ProcessPoolExecutor]) -> tuple[float, int]:
    started = time.monotonic()
    work = [pool.submit(_share, turn, place, len(pools)) for place, pool in enumerate(pools)]
    rows = sum(one.result() for one in work)
    return time.monotonic() - started, rows


def _share(turn: Turn, place: int, of: int) -> int:
    """One process's share: every row group whose number is its own."""
    predict = _predictor(turn["model"]["flavour"], turn["model"]["path"])
    batches = _batches(turn, place, of)
    if not turn["options"]["write"]:
        return sum(len(predict(batch)) for batch in batches)
    rows, kind = 0, pa.float64() if turn["model"]["classes"] else pa.float32()
    schema = pa.schema([("id", pa.int64()), ("prediction", kind)])
    path = f"{turn['out']}/part-{place}.parquet"
    how = {"compression": "snappy", "column_encoding": {"id": "DELTA_BINARY_PACKED"}, "use_dictionary": False}
    with pq.ParquetWriter(path, schema, **how, write_statistics=False) as writer:
        for batch in batches:
            columns = [batch.column(0), pa.array(predict(batch), kind)]
            writer.write_batch(pa.record_batch(columns, schema=schema), row_group_size=1 << 20)
            rows += batch.num_rows
    return rows


def _batches(turn: Turn, place: int, of: int) -> Iterator[pa.RecordBatch]:
    options = {"pre_buffer": False, "buffer_size": 1 << 20, "batch_rows": 10_000, **turn["options"]}
    opening = {name: options[name] for name in ("pre_buffer", "buffer_size", "memory_map") if name in options}
    number = 0
    for name in turn["data"]["files"]:
        with pq.ParquetFile(name, **opening) as file:
            groups = [group for group in range(file.num_row_groups) if (number + group) % of == place]
            number += file.num_row_groups
            if groups:
                yield from file.iter_batches(
                    options["batch_rows"],
                    row_groups=groups,
                    columns=["id", *turn["data"]["features"]],
                    use_threads=options.get("use_threads", False),
                )


@cache
def _predictor(flavour: str, path: str) -> Predict:
    return {"onnx": _onnx, "sklearn": _sklearn, "torch": _torch}[flavour](path)


def _matrix(batch: pa.RecordBatch, kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
    rows = np.empty((batch.num_rows, batch.num_columns - 1), kind)
    for place in range(batch.num_columns - 1):
        rows[:, place] = batch.column(place + 1)
    return rows


def _onnx(path: str) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = str(next(Path(path).glob("*.onnx")))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"features": _matrix(batch, np.float32)})[0].reshape(-1)


def _sklearn(path: str) -> Predict:
    import mlflow.sklearn
    from threadpoolctl import threadpool_limits

    model = mlflow.sklearn.load_model(path)
    threadpool_limits(1)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return lambda batch: model.predict_proba(_matrix(batch, np.float64))[:, 1]


def _torch(path: str) -> Predict:
    import mlflow.pytorch
    import torch

    torch.set_num_threads(1)
    model = mlflow.pytorch.load_model(path, map_location="cpu")

    def predict(batch: pa.RecordBatch) -> npt.NDArray[Any]:
        with torch.inference_mode():
            result: npt.NDArray[Any] = model(torch.from_numpy(_matrix(batch, np.float32))).numpy().reshape(-1)
        return result

    return predict


if __name__ == "__main__":
    serve(start)
