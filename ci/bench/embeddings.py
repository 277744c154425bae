"""Embeds real texts in turns: ours in each precision, an iterator UDF around `encode`, Ray Data, Daft; writes
docs/benchmarks/embeddings.json.

    PYTHONPATH=src:ci python -m bench.embeddings --transformer FOLDER [--peers PYTHON] [--texts 500] [--rounds 3]

All have two tasks of one thread. Each turn: the wall's seconds, and the CPU seconds of all its processes, which another
load on the machine changes less. The model of ours and of the peers is the same graph. `--keep` keeps what earlier runs
measured of contenders that this one does not.
"""

import argparse
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench import machine
from bench.engines import Engine, Kind
from bench.processes import below

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "benchmarks" / "embeddings.json"
UDF, OURS = "iterator UDF around encode", "ours, {}"
PRECISIONS = ("float32", "bfloat16", "int8")
LEAST_COSINE = {"bfloat16": 0.9999, "int8": 0.98}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 where a contender's vectors are off."""
    options = _read_options(arguments)
    work = ROOT / "build" / f"bench-embeddings-{os.getpid()}"
    work.mkdir(parents=True)
    given = _prepare(options, work)
    wanted = [name for name in (UDF, *map(OURS.format, PRECISIONS), "ray", "daft") if _is_wanted(name, options)]
    load, turns = machine.load(), dict[str, list[dict[str, Any]]]()
    engines = {name: _start(name, options, work) for name in {_engine_of(name) for name in wanted}}
    try:
        for number in range(-1, options.rounds):  # the first one warms up: processes, models, compiled code
            for name in random.sample(wanted, len(wanted)):
                turn = _take_turn(engines[_engine_of(name)], name, given, work)
                vectors = _read_vectors(turn)
                turn["cosine"] = round(float((vectors * given["reference"]).sum(axis=1).min()), 6)
                machine.say(
                    f"{number + 1} {name:28} {turn['seconds']:7.2f} s {turn['cpu']:7.2f} s CPU {turn['cosine']}"
                )
                if turn["cosine"] < LEAST_COSINE.get(name.partition(", ")[2], 0.9999):
                    machine.say(f"{name}: its vectors are off")
                    return 1
                if number >= 0:
                    turns.setdefault(name, []).append(turn)
            if turns:
                _write_results(options, turns, load, given["about"])  # a run that is stopped keeps what it has
    finally:
        for engine in engines.values():
            engine.end()
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.embeddings", description=__doc__)
    parser.add_argument("--transformer", required=True, help="folder of a SentenceTransformer")
    parser.add_argument("--peers", default=None, help="the Python of the peers' environment, with tokenizers")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", default="", help="only those whose names hold one of these, by commas")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def _is_wanted(name: str, options: argparse.Namespace) -> bool:
    if name in ("ray", "daft") and options.peers is None:
        return False
    return not options.contenders or any(part in name for part in options.contenders.split(","))


def _engine_of(name: str) -> str:
    return name if name in ("ray", "daft") else "spark"


def _start(name: str, options: argparse.Namespace, work: Path) -> Engine:
    python = sys.executable if name == "spark" else options.peers
    environment = {"PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    if name != "spark":
        environment["PYTHONPATH"] = str(ROOT / "ci")
    return Engine(Kind(f"bench.ways.{name}_embeddings", python, environment, work / f"{name}.log"))


def _prepare(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The table, the models of ours, the graph for the peers, the vectors that are right."""
    import mlflow
    from deltalake import DeltaTable, write_deltalake
    from sentence_transformers import SentenceTransformer

    from sparkscore import log_embedding_model
    from sparkscore.workloads.embeddings.package_texts import collect_package_texts

    texts = collect_package_texts()
    places = np.linspace(0, len(texts) - 1, options.texts).astype(int)  # as mixed as they are
    texts = texts.take(pa.array(np.random.default_rng(1).permutation(places)))
    half = len(texts) // 2
    write_deltalake(str(work / "texts"), texts.slice(0, half))
    write_deltalake(str(work / "texts"), texts.slice(half), mode="append")  # a file for each task
    transformer = SentenceTransformer(options.transformer, device="cpu")
    order = np.argsort(texts["text_id"].to_numpy())
    reference = transformer.encode([texts["text"][place].as_py() for place in order], show_progress_bar=False)
    uri = f"sqlite:///{work}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("bench", artifact_location=f"file://{work}/artifacts"))
    for precision in PRECISIONS:
        log_embedding_model("model", transformer, registered_model_name=precision, precision=precision)
    network = next(
        iter(sorted((work / "artifacts").rglob("embedding_model/model.onnx"), key=lambda f: -f.stat().st_size))
    )
    return {
        "table": str(work / "texts"),
        "files": DeltaTable(str(work / "texts")).file_uris(),
        "transformer": options.transformer,
        "network": str(network.parent),
        "tracking_uri": uri,
        "reference": np.asarray(reference),
        "about": {"texts": len(texts), "characters": sum(map(len, texts["text"].to_pylist()))},
    }


def _take_turn(engine: Engine, name: str, given: Mapping[str, Any], work: Path) -> dict[str, Any]:
    out = work / "turn"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    way = "udf" if name == UDF else "ours" if name.startswith("ours") else "embed"
    told = {key: value for key, value in given.items() if key not in ("reference", "about")}
    options = {"uri": f"models:/{name.partition(', ')[2]}/1"} if way == "ours" else {}
    before = _cpu_seconds(engine)
    answer = engine.go({**told, "way": way, "options": options, "out": str(out), "home": str(out / "home")})
    return {**answer, "seconds": round(answer["seconds"], 3), "cpu": round(_cpu_seconds(engine) - before, 2)}


def _cpu_seconds(engine: Engine) -> float:
    return sum(process.cpu for process in below(engine._process.pid).values())  # noqa: SLF001  its own kind


def _read_vectors(turn: dict[str, Any]) -> npt.NDArray[Any]:
    """Vectors of all texts in the order of their ids."""
    files = turn.pop("files", None) or [str(file) for file in Path(turn.pop("path")).rglob("*.parquet")]
    tables = [pq.ParquetFile(file).read() for file in files]
    found: dict[int, Any] = {}
    for table in tables:
        column = "embedding" if "embedding" in table.column_names else "prediction"
        found |= dict(zip(table["text_id"].to_pylist(), table[column].to_pylist(), strict=True))
    return np.array([found[text_id] for text_id in sorted(found)], np.float32)


def _write_results(
    options: argparse.Namespace, turns: Mapping[str, Any], load: float, about: Mapping[str, Any]
) -> None:
    earlier = json.loads(options.out.read_text()) if options.keep and options.out.exists() else {"contenders": {}}
    facts = {**machine.facts(ROOT), "load": {"before": load, "after": machine.load()}, **about}
    contenders = {name: {"turns": one, "run": facts} for name, one in turns.items()}
    result = {**earlier, "contenders": {**earlier["contenders"], **contenders}}
    if not options.keep or UDF in turns:
        result["ratios"] = list(_list_ratios(turns, UDF))
    for peer in ("ray", "daft"):
        if peer in turns:
            result[f"ratios_{peer}"] = list(_list_ratios(turns, peer))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for key in ("ratios", "ratios_ray", "ratios_daft"):
        for one in result.get(key, ()):
            machine.say(json.dumps(one))


def _list_ratios(turns: Mapping[str, Any], base: str) -> Iterator[dict[str, Any]]:
    """Of the base's seconds to each contender's, round by round."""
    for name, own in turns.items():
        if name == base:
            continue
        told: dict[str, Any] = {"contender": name, "than": base}
        for unit in ("seconds", "cpu"):
            ratios = [other[unit] / one[unit] for other, one in zip(turns[base], own, strict=True)]
            told[unit] = [round(value, 2) for value in (median(ratios), min(ratios), max(ratios))]
        yield told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
