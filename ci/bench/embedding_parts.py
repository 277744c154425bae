"""What each part of the embedding model brings, on one core without Spark; prints a table of Markdown.

    PYTHONPATH=src:ci python -m bench.embedding_parts --transformer FOLDER [--texts 300] [--rounds 3]

CPU seconds of the process, of ways that take turns; the median of the rounds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sparkscore import save_embedding_model
from sparkscore.workloads.embeddings import embedding_model
from sparkscore.workloads.embeddings.embedding_model import EmbeddingModel, load_embedding_model
from sparkscore.workloads.embeddings.package_texts import collect_package_texts
from sparkscore.workloads.embeddings.token_batches import plan_token_batches

Way = Callable[[], tuple[npt.NDArray[Any], Mapping[str, float]]]
BATCH_TEXTS = 32


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("bench.embedding_parts", description=__doc__)
    parser.add_argument("--transformer", required=True)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    known = collect_package_texts()
    places = np.random.default_rng(1).permutation(np.linspace(0, len(known) - 1, options.texts).astype(int))
    texts = known.take(pa.array(places))["text"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        ways = dict(_list_ways(options.transformer, texts, Path(folder)))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        results = {name: way() for name, way in ways.items()}  # warm
        for _ in range(options.rounds):
            for name, way in ways.items():
                started = time.process_time()
                way()
                seconds[name].append(time.process_time() - started)
    _print_table(results, {name: median(one) for name, one in seconds.items()}, len(texts))
    return 0


def _list_ways(folder: str, texts: list[str], home: Path) -> Iterator[tuple[str, Way]]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    transformer = SentenceTransformer(folder, device="cpu")
    yield "`SentenceTransformer.encode`, 32 texts", lambda: (transformer.encode(texts, show_progress_bar=False), {})
    models: dict[str, EmbeddingModel] = {}
    for name, more in {
        "torch": {"runtime": "torch"},
        "onnx": {},
        "bfloat16": {"precision": "bfloat16"},
        "int8": {"precision": "int8"},
    }.items():
        save_embedding_model(home / name, transformer, **more)
        models[name] = load_embedding_model(str(home / name / "data" / "embedding_model"))
    yield "torch float32, 32 texts as they come", lambda: _embed(models["torch"], texts, _plan_as_they_come)
    yield "+ sorted by length, 32 texts", lambda: _embed(models["torch"], texts, _plan_sorted)
    yield "+ token budget 1,024 instead of 32", lambda: _embed(models["torch"], texts)
    yield "+ ONNX float32, fused", lambda: _embed(models["onnx"], texts)
    wide = replace(models["onnx"].options, token_budget=8192)
    yield "the same, token budget 8,192", lambda: _embed(models["onnx"].with_options(wide), texts)
    yield "torch bfloat16", lambda: _embed(models["bfloat16"], texts)
    yield "ONNX int8", lambda: _embed(models["int8"], texts)


def _embed(
    model: EmbeddingModel, texts: list[str], plan: Callable[..., Any] = plan_token_batches
) -> tuple[npt.NDArray[Any], Mapping[str, float]]:
    previous = embedding_model.plan_token_batches
    embedding_model.plan_token_batches = plan
    try:
        scored = model.predict(pd.DataFrame({"text": texts}))
    finally:
        embedding_model.plan_token_batches = previous
    return scored.predictions, scored.counts


def _plan_as_they_come(lengths: Sequence[int], _: int) -> Iterator[npt.NDArray[np.intp]]:
    for start in range(0, len(lengths), BATCH_TEXTS):
        yield np.arange(start, min(start + BATCH_TEXTS, len(lengths)))


def _plan_sorted(lengths: Sequence[int], _: int) -> Iterator[npt.NDArray[np.intp]]:
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(lengths), BATCH_TEXTS):
        yield order[start : start + BATCH_TEXTS]


def _print_table(results: Mapping[str, Any], seconds: Mapping[str, float], texts: int) -> None:
    base_name = next(iter(results))
    base = results[base_name][0]
    lines = ["| way | texts per CPU second | × | padding | least cosine |", "|---|---:|---:|---:|---:|"]
    for name, (vectors, counts) in results.items():
        share = f"{counts['padding_tokens'] / counts['tokens']:.0%}" if "padding_tokens" in counts else "–"
        cosine = float((vectors * base).sum(axis=1).min())
        speed = f"{texts / seconds[name]:.0f} | {seconds[base_name] / seconds[name]:.2f}"
        lines.append(f"| {name} | {speed} | {share} | {cosine:.5f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
