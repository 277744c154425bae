"""Numerical libraries use as many threads as the task has cores, never cores x workers. Runs on executors."""

import os
import sys
import threading
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "LOKY_MAX_CPU_COUNT",  # what joblib, and LightGBM by it, takes for all cores: n_jobs=-1
)

_THREAD_PARAMS = ("n_jobs", "nthread", "num_threads", "thread_count")
_THREADED_LIBRARIES = ("sklearn", "lightgbm", "xgboost", "catboost")
_WRAPPED_NAMES = ("sklearn_model", "lgb_model", "xgb_model", "cb_model")
"""Where MLflow's wrappers keep the model of a library."""

_applied_thread_limit: tuple[int, int, int] | None = None
"""Thread, cores, and how many modules were imported, when limits were set last: no new module, no new library."""


def limit_threads(cores: int) -> None:
    """Let numerical libraries use as many threads as the task has cores; otherwise each worker uses all cores.

    Called once per task. Where nothing has changed it costs microseconds; looking for the libraries 2 ms.
    """
    global _applied_thread_limit  # noqa: PLW0603 - of this process
    if _applied_thread_limit == (threading.get_ident(), cores, len(sys.modules)):
        return
    for name in THREAD_VARIABLES:
        os.environ[name] = str(cores)  # for libraries that the model imports
    with suppress(ImportError):
        import_module("threadpoolctl").threadpool_limits(cores)  # for those that are there already
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(cores)
    _applied_thread_limit = (threading.get_ident(), cores, len(sys.modules))


def limit_model_threads(model: Any, cores: int) -> None:
    """Let a loaded model of a known library use at most as many threads as the task has cores: some of its author's own
    settings go before the library's. They change no prediction.

    Needs:   a model, or MLflow's wrapper of one. One of any other library stays as it is.
    Runs on: executor.
    """
    found = next((one for name in _WRAPPED_NAMES if (one := getattr(model, name, None)) is not None), model)
    library = type(found).__module__.partition(".")[0]
    if library not in _THREADED_LIBRARIES:
        return
    with suppress(Exception):  # of another version, perhaps: its threads are no reason to fail
        if hasattr(found, "set_param"):  # XGBoost's booster
            found.set_param({"nthread": cores})
        elif library == "catboost":
            found.predict = partial(found.predict, thread_count=cores)
        elif hasattr(found, "get_params"):
            found.set_params(**_limited_params(found.get_params(), cores))


def _limited_params(params: Any, cores: int) -> dict[str, int]:
    """The params that say how many threads there are, where that is more than the cores, or all of them."""
    named = {name: value for name, value in params.items() if name.rpartition("__")[2] in _THREAD_PARAMS}
    return {name: cores for name, value in named.items() if isinstance(value, int) and (value < 0 or value > cores)}
