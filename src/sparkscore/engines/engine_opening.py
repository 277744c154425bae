"""Opens an engine by its name."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pyarrow as pa

from sparkscore.engines import dask_engine, ray_engine
from sparkscore.engines.task_envelope import report_nothing
from sparkscore.errors import TemporaryError
from sparkscore.records import EngineOptions, ScoringEngine

_FIRST_TASK_S = 60.0


def require_engine_package(name: str) -> None:
    """Raises:  ModuleNotFoundError without the extra of this name."""
    if name == "ray":
        import ray.data  # noqa: F401
    else:
        import distributed  # noqa: F401


def open_engine(name: str, options: EngineOptions, archives: Sequence[Path]) -> AbstractContextManager[ScoringEngine]:
    """The engine, ray or dask, for a block; its workers find the archives.

    Runs on: driver.
    Raises:  as `open_ray_engine` and `open_dask_engine`.
    """
    if name == "ray":
        return ray_engine.open_ray_engine(options, archives)
    return dask_engine.open_dask_engine(options, archives)


def try_engine(name: str, options: EngineOptions) -> int:
    """How many tasks the engine runs at once; one that does nothing has run.

    Runs on: driver.
    Raises:  as `open_engine` and `ScoringEngine.run_tasks`; TemporaryError for a task that nobody begins in a minute.
    """
    until, part = time.monotonic() + _FIRST_TASK_S, pa.record_batch([pa.array([b""])], ["part"])
    with open_engine(name, options, ()) as engine, closing(engine.run_tasks(report_nothing, [part])) as running:
        for _ in running:
            if time.monotonic() > until:
                raise TemporaryError(
                    f"no task has ended within {_FIRST_TASK_S:.0f} s",
                    "a cluster with room for a task",
                    "see what it is busy with",
                )
        return engine.slots
