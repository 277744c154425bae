"""Ray Data on texts: read_parquet, map_batches with a pool of two actors, write_parquet."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray.data import ActorPoolStrategy

from bench.ways.plain_embeddings import PlainEmbedder
from bench.ways.serve import Answer, Turn, Way, serve

ACTORS, LOGICAL_CPUS, BATCH_ROWS = 2, 4, 256


def start() -> Mapping[str, Way]:
    """Ray on this machine."""
    ray.init(num_cpus=LOGICAL_CPUS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return {"embed": embed}


def embed(turn: Turn) -> Answer:
    """Embedded and written."""
    path = str(Path(turn["out"], "embeddings"))
    started = time.monotonic()
    rows = ray.data.read_parquet(turn["files"], columns=["text_id", "text"])
    rows.map_batches(
        _Embedder,
        fn_constructor_args=(turn["network"],),
        batch_size=BATCH_ROWS,
        batch_format="pandas",
        compute=ActorPoolStrategy(size=ACTORS),
        num_cpus=1,
    ).write_parquet(path)
    return {"seconds": time.monotonic() - started, "path": path}


class _Embedder:
    def __init__(self, folder: str) -> None:
        self._model = PlainEmbedder(folder)

    def __call__(self, batch: Any) -> Any:
        return batch[["text_id"]].assign(embedding=list(self._model(batch["text"].tolist())))


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    serve(start)
