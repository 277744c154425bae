"""Opens an engine by its name."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from sparkscore.engines import dask_engine, ray_engine
from sparkscore.records import EngineOptions, ScoringEngine


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
