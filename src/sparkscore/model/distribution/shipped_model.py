"""What a worker knows about a distributed model. Light: pickled into every task."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from sparkscore.records import (
    ANY_BATCHES,
    DEFAULT_ACCELERATOR,
    NO_OUTPUT_PARTS,
    WARNING_POLICY,
    AcceleratorOptions,
    BatchLimits,
    ModelInput,
    OutputParts,
    TrustPolicy,
)
from sparkscore.records.model_files import ModelFiles


@dataclass(frozen=True, slots=True)
class SklearnFile:
    """A scikit-learn object in a model's folder."""

    path: str
    format: str
    trusted: tuple[str, ...] | None
    """Types that the model's author told skops to load; nothing is added."""
    method: str


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An ONNX graph in a model's folder."""

    path: str
    outputs: tuple[str | None, ...]
    """The names that the signature gives its outputs."""
    optimisation: int | None = None
    """The author's graph_optimization_level; None: onnxruntime's own."""
    config: tuple[tuple[str, str], ...] = ()
    """The author's further session options."""


@dataclass(frozen=True, slots=True)
class TorchFile:
    """A PyTorch module in a model's folder."""

    path: str
    format: Literal["pickle", "pt2"]


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model that every executor can unpack, and how it is executed there."""

    digest: str
    archive: str
    """Name of the zip among Spark's files."""
    is_packed: bool = field(default=False, kw_only=True)
    """The zip holds many models, each in a folder named by its digest."""
    most_resident: int | None = field(default=None, kw_only=True, repr=False, compare=False)
    """How many models a worker keeps at once, at most; None: as many as fit into its memory. No part of what it is."""
    runtime: Literal["pyfunc", "sklearn", "onnx", "torch"]
    inputs: tuple[ModelInput, ...]
    tensor: bool
    output: pa.DataType
    parts: OutputParts = field(default=NO_OUTPUT_PARTS, kw_only=True)
    params: tuple[tuple[str, Any], ...] = ()
    config: str | None = None
    """`model.config`, as JSON; None: the model's own configuration stays as it was logged."""
    files: ModelFiles | None = field(default=None, kw_only=True)
    """The folder whose files it may read, by paths in its inputs; None: it reads none."""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables of the environment in which it is loaded and predicts."""
    residency: Literal["worker", "executor", "process"] = "worker"
    """`process`: one of the worker's own, which ends with the first batch, or load, that takes too long."""
    file: SklearnFile | OnnxFile | TorchFile | None = None
    """What a runtime other than pyfunc loads: workers then need no YAML to find it."""
    batch_timeout: float | None = None
    """Seconds that it may take for a batch; None: as long as it takes."""
    sensitive: bool = False
    """Its own messages may hold values that nobody may see: of what it raises only the class is told."""
    nullable: frozenset[str] | None = None
    """Paths of the parts of a prediction that may be NULL; rows that lack another one are rejected. None: no row is."""
    repeat_rows: int = 0
    """How many rows of a run are predicted twice more (`scoring.repeated_rows`)."""
    code: tuple[str, ...] = ()
    """Names of the modules and packages that it brings."""
    is_own: bool = False
    """The suite's own code loads it and predicts (`sparkscore.workloads`): what it raises of the suite's classes says
    how the run ends."""
    trust: TrustPolicy = WARNING_POLICY
    """By which executors decide once more whether to load it."""
    accelerator: AcceleratorOptions = DEFAULT_ACCELERATOR
    """How its runtime uses the processor, or the accelerator that a task has."""
    batches: BatchLimits = field(default=ANY_BATCHES, repr=False, compare=False)
    """How large its batches may be; no part of what the model is."""
    wanted_rows: int | None = field(default=None, repr=False, compare=False)
    """How many rows it wants at once where the settings leave that open; None: as many as turn out to be fastest."""
    secret: str = field(default_factory=secrets.token_hex, repr=False, compare=False)
    """Signs the errors that tasks send to the driver (`scoring.task_errors`); no part of what the model is."""
