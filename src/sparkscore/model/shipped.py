"""What a worker knows about a model that Spark has distributed. Light: pickled into every task."""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from sparkscore.model.runtimes import SklearnFile
from sparkscore.records import ModelInput


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model that every executor can unpack, and how it is executed there."""

    digest: str
    archive: str
    """Name of the unpacked folder among Spark's files."""
    runtime: Literal["pyfunc", "sklearn", "onnx", "torch"]
    inputs: tuple[ModelInput, ...]
    tensor: bool
    output: pa.DataType
    params: tuple[tuple[str, Any], ...] = ()
    residency: Literal["worker", "executor"] = "worker"
    sklearn: SklearnFile | None = None
    """Given where the runtime is sklearn: workers then need no YAML to find the file."""
