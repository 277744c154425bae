"""Daft on texts: read_parquet, a class with a method on batches in two processes, write_parquet."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import daft

from bench.ways.plain_embeddings import PlainEmbedder
from bench.ways.serve import Answer, Turn, Way, serve

PROCESSES, BATCH_ROWS = 2, 256


def start() -> Mapping[str, Way]:
    """Daft's own runner on this machine."""
    daft.set_runner_native()
    return {"embed": embed}


def embed(turn: Turn) -> Answer:
    """Embedded and written."""
    path = str(Path(turn["out"], "embeddings"))
    started = time.monotonic()
    rows = daft.read_parquet(turn["files"])
    vectors = Embedder(turn["network"]).embed(rows["text"])
    rows.select(rows["text_id"], vectors.alias("embedding")).write_parquet(path)
    return {"seconds": time.monotonic() - started, "path": path}


@daft.cls(max_concurrency=PROCESSES, use_process=True)
class Embedder:
    """onnxruntime on texts."""

    def __init__(self, folder: str) -> None:
        self._model = PlainEmbedder(folder)

    @daft.method.batch(return_dtype=daft.DataType.list(daft.DataType.float32()), batch_size=BATCH_ROWS)
    def embed(self, texts: daft.Series) -> Any:
        """Vectors."""
        return list(self._model(texts.to_pylist()))


if __name__ == "__main__":
    os.environ.setdefault("DO_NOT_TRACK", "1")
    serve(start)
