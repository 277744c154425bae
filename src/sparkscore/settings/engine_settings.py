"""Settings of another engine that runs the tasks of `score`, chosen by `scoring.engine`."""

import re
from typing import Literal

from pydantic import Field, field_validator

from sparkscore.settings.frozen_settings import FrozenSettings, list_changed_settings

EngineName = Literal["spark", "ray", "dask"]

_HOST_AND_PORT = r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
_ADDRESSES = {
    "ray": (re.compile(rf"auto|{_HOST_AND_PORT}"), "auto or host:port"),
    "dask": (re.compile(rf"(?:[a-z]+://)?{_HOST_AND_PORT}"), "tcp://host:port"),
}
_LEAST_SHARE = 0.0001
"""Ray counts in ten-thousandths."""


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
        default=None,
        ge=_LEAST_SHARE,
        le=10_000,
        description="CPUs that each actor of Ray asks for; default: 1",
    )
    worker_gpus: float | None = Field(
        default=None,
        ge=_LEAST_SHARE,
        le=10_000,
        description="GPUs that each actor of Ray asks for: a whole number, or a share of one; default: none",
    )

    @field_validator("worker_gpus")
    @classmethod
    def _refuse_parts_of_several(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("Ray gives an actor whole GPUs, or a share of one")
        return gpus

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
    if engine in _ADDRESSES and options.address is not None:
        form, expected = _ADDRESSES[engine]
        if not form.fullmatch(options.address):
            return f"engine.address is no address for scoring.engine {engine}; expected {expected}"
    idle = [name for name in given if name in ("worker_cpus", "worker_gpus")]
    if engine == "dask" and idle:
        return (
            f"engine.{idle[0]} is what an actor of Ray asks for; a worker of Dask has what it was started with: use"
            " scoring.engine ray, or leave it out"
        )
    return None
