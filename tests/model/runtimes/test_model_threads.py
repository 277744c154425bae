"""How many threads a model really uses whose author asked for more than the task has cores."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkscore.model.runtimes.thread_limits import THREAD_VARIABLES, limit_model_threads

pytest.importorskip("torch")

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(4000, 4)), columns=list("abcd"))
TARGET = ROWS.sum(axis=1) > 0
WORK = """
import os, pickle, sys, threading, time
from sparkscore.model.runtimes.thread_limits import limit_model_threads, limit_threads
import pandas, numpy
cores = int(sys.argv[2])
if cores:
    limit_threads(cores)
model = pickle.load(open(sys.argv[1], "rb"))
if cores:
    limit_threads(cores)
    limit_model_threads(model, cores)
rows = pandas.DataFrame(numpy.random.default_rng(1).normal(size=(200_000, 4)), columns=list("abcd"))
model.predict(rows.head(1)) if cores else None
most, begun, done = 0, len(os.listdir("/proc/self/task")), threading.Event()
def watch():
    global most
    while not done.is_set():
        most = max(most, len(os.listdir("/proc/self/task")))
        time.sleep(0.001)
watcher = threading.Thread(target=watch)
watcher.start()
model.predict(rows)
done.set()
watcher.join()
print(most - begun, most)
"""


def lightgbm_all() -> Any:
    return import_module("lightgbm").LGBMClassifier(n_estimators=20, n_jobs=4, verbose=-1).fit(ROWS, TARGET)


def xgboost_all() -> Any:
    return import_module("xgboost").XGBClassifier(n_estimators=20, n_jobs=4).fit(ROWS, TARGET)


def boosted() -> Any:
    return import_module("sklearn.ensemble").HistGradientBoostingClassifier(max_iter=20).fit(ROWS, TARGET)


def forest() -> Any:
    return import_module("sklearn.ensemble").RandomForestClassifier(n_estimators=20, n_jobs=4).fit(ROWS, TARGET)


def piped() -> Any:
    library = import_module("sklearn.pipeline")
    scaler = import_module("sklearn.preprocessing").StandardScaler()
    return library.make_pipeline(scaler, import_module("sklearn.ensemble").RandomForestClassifier(20, n_jobs=4)).fit(
        ROWS, TARGET
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "fit"),
    [
        ("lightgbm", lightgbm_all),
        ("xgboost", xgboost_all),
        ("sklearn", boosted),
        ("sklearn", forest),
        ("sklearn", piped),
    ],
    ids=["lightgbm", "xgboost", "boosted", "forest", "pipeline"],
)
def test_a_model_uses_as_many_threads_as_the_task_has_cores(
    library: str, fit: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(fit()))

    def threads(cores: int) -> tuple[int, int]:
        """Those that predicting adds, the one that counts among them, and all; 0 cores: without any limit."""
        words = [sys.executable, "-c", WORK, str(file), str(cores)]
        added, most = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        return int(added) - 1, int(most)

    (added, most), (_, unlimited) = threads(1), threads(0)
    assert added == 0
    assert most < unlimited


@pytest.mark.parametrize(("jobs", "expected"), [(-1, 2), (8, 2), (1, 1), (None, None)])
def test_more_jobs_than_cores_become_as_many(jobs: int | None, expected: int | None) -> None:
    forest = import_module("sklearn.ensemble").RandomForestClassifier(n_jobs=jobs)
    limit_model_threads(forest, 2)
    assert forest.n_jobs == expected


def test_a_model_of_another_library_stays_as_it_is() -> None:
    class Own:
        n_jobs = -1

        def get_params(self) -> dict[str, int]:
            raise AssertionError

    limit_model_threads(Own(), 2)
    assert Own.n_jobs == -1
