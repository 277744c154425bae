"""Numerical libraries use as many threads as the task has cores, never cores x workers. Runs on executors."""

import os
import sys
import threading
from contextlib import suppress
from importlib import import_module

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

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
