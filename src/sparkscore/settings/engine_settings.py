"""Settings of another engine that runs the tasks of `score`, chosen by `scoring.engine`."""

from typing import Literal

from pydantic import Field, field_validator

from sparkscore.settings.frozen_settings import FrozenSettings, list_changed_settings

EngineName = Literal["spark", "ray", "dask"]


class EngineSettings(FrozenSettings):
    """Where Ray or Dask runs the tasks of a job with scoring.engine ray or dask. No part of a run's identity."""

    address: str | None = Field(
        default=None,
        description="of a running cluster: host:port or auto for Ray, tcp://host:port for Dask; default: one on this"
        " machine, as long as the run lasts",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="actors of Ray, or workers of Dask, that score at once; default: as many as the cluster has room"
        " for, on this machine as many as Spark has cores",
    )
    worker_cpus: float | None = Field(
        default=None, gt=0, description="CPUs that each actor of Ray asks for; default: 1"
    )
    worker_gpus: float | None = Field(
        default=None, gt=0, description="GPUs that each actor of Ray asks for, a share of one too; default: none"
    )

    @field_validator("address")
    @classmethod
    def _refuse_ray_client(cls, address: str | None) -> str | None:
        if address is not None and address.startswith("ray://"):
            raise ValueError(
                "ray:// is the address of Ray Client, and Ray Data runs in the driver; expected host:port, from a"
                " machine of the cluster"
            )
        return address


def find_engine_problem(engine: EngineName, options: EngineSettings) -> str | None:
    """Why the options do not fit the engine; None where they do."""
    given = list_changed_settings(options)
    if engine == "spark" and given:
        return f"engine.{given[0]} has no effect with scoring.engine spark; expected ray or dask, or no section engine"
    idle = [name for name in given if name in ("worker_cpus", "worker_gpus")]
    if engine == "dask" and idle:
        return (
            f"engine.{idle[0]} is what an actor of Ray asks for; a worker of Dask has what it was started with: use"
            " scoring.engine ray, or leave it out"
        )
    return None
