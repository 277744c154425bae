"""Settings of how PyTorch executes a module; what amounts of a resource a task can have."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from sparkscore.settings.frozen_settings import FrozenSettings

_MOST_OF_A_SHARED_RESOURCE = 0.5
"""Of a resource that tasks share, which Spark deals out by its address: two tasks at least, else it is one's alone."""


class TorchSettings(FrozenSettings):
    """How PyTorch executes a module."""

    autocast: Literal["bfloat16", "float16"] | None = Field(
        default=None,
        description="compute in this type where PyTorch holds that it loses little; changes predictions, which stay"
        " float32",
    )
    compile: bool = Field(
        default=False,
        description="compile the module (torch.compile) when it is loaded, for batches of any size; needs a C++"
        " compiler on the executors, or Triton for a GPU",
    )


def find_resource_problem(resources: Mapping[str, float]) -> str | None:
    """What is wrong with an amount; None where Spark can hand out all of them."""
    for name, amount in resources.items():
        if name == "cpus" and amount != int(amount):
            return f"resources: {amount:g} cpus; a task has whole cores"
        if amount != int(amount) and amount > _MOST_OF_A_SHARED_RESOURCE:
            return f"resources: {amount:g} {name}; whole ones, or at most 0.5 where tasks share one"
    return None
