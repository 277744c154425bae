"""What stand-ins for Python workers do with several models. Light: they import this."""

import json
import os
import sys
import threading
import types
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark import SparkFiles

from sparkscore.errors import SparkscoreError
from sparkscore.model.distribution.model_shipping import zip_model_folder
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host import host_start
from sparkscore.model.host import resident_model as room
from sparkscore.model.host.host_client import host_cpu_seconds
from sparkscore.model.host.resident_model import get_resident_scorer
from tests.model.host.node import eventually, runs

ROW = [pa.array([0.0])]


def packed(folder: Path, model: ShippedModel) -> ShippedModel:
    """The model as Spark would bring it: a zip beside its files."""
    zip_model_folder(folder, folder.with_name(f"{model.digest}.zip"))
    return replace(model, archive=f"{model.digest}.zip")


def become_worker(root: str) -> None:
    """Have Spark's files in this process as a Python worker has them."""
    SparkFiles._root_directory, SparkFiles._is_running_on_worker = root, True


def score_in_turn(root: str, models: Sequence[ShippedModel], *, imported: Sequence[str] = ()) -> str:
    """Load all, then score with all; answers, how often each was loaded, and how many processes that has taken."""
    become_worker(root)
    sys.modules.update({name: types.ModuleType(name) for name in imported})
    loads = [0] * len(models)
    scorers = [get_resident_scorer(model, partial(_count, loads, place)) for place, model in enumerate(models)]
    answers = [score(ROW).predictions.to_pylist()[0] for score in scorers]
    said = {
        "answers": answers,
        "loads": loads,
        "started": len(host_start._host_processes),
        "cpu_beside_s": host_cpu_seconds(),
    }
    return json.dumps(said)


def score_each(root: str, models: Sequence[ShippedModel]) -> str:
    """Load each model only when the one before it has scored; their answers."""
    become_worker(root)
    return json.dumps([get_resident_scorer(model, _nothing)(ROW).predictions.to_pylist()[0] for model in models])


def score_with_little_memory(root: str, models: Sequence[ShippedModel]) -> str:
    """Score with each model where only the newest has room; whether each other's process has ended by then."""
    become_worker(root)
    room.__dict__["memory_budget"] = lambda cores: 1
    pids, ended, occupied, loads = [], [], [], [0] * len(models)
    for place, model in enumerate(models):
        pids.append(get_resident_scorer(model, partial(_count, loads, place))(ROW).predictions.to_pylist()[0])
        ended.append([not runs(pid) for pid in pids])
        occupied.append([one.memory_bytes for one in room._resident_models.values()])
    return json.dumps({"pids": pids, "ended": ended, "occupied": occupied, "loads": loads})


def stay_with(root: str, models: Sequence[ShippedModel], answered: Path) -> str:
    """Score with each model, say what they answered, and stay."""
    become_worker(root)
    answers = [get_resident_scorer(model, _nothing)(ROW).predictions.to_pylist()[0] for model in models]
    answered.with_suffix(".part").write_text(json.dumps(answers))
    answered.with_suffix(".part").rename(answered)
    threading.Event().wait()
    return ""


def fail_with(root: str, models: Sequence[ShippedModel], *, on_linux: bool = True) -> str:
    """Score with each model; class and words of the error that ends it, and processes that were left."""
    become_worker(root)
    if not on_linux:
        del os.memfd_create
    try:
        for model in models:
            get_resident_scorer(model, _nothing)(ROW)
    except SparkscoreError as error:
        pids = [one.pid for one in host_start._host_processes]
        left = [] if eventually(lambda: not any(map(runs, pids)), within_s=30) else pids
        return json.dumps([type(error).__name__, *error.args, left])
    return json.dumps(None)


def _count(loads: list[int], place: int) -> None:
    loads[place] += 1


def _nothing() -> None:
    """Nobody counts."""
