"""A model that is resolved and pinned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from sparkscore.records.prediction_parts import NO_OUTPUT_PARTS, OutputParts
from sparkscore.records.trust_records import WARNING_POLICY, TrustPolicy


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input of a model's signature. `name` is None where the signature has only positions."""

    name: str | None
    type: pa.DataType
    required: bool
    shape: tuple[int, ...] | None = None
    """What each row brings to a tensor of the signature: `()` one value, `(2, 3)` a list of 2 lists of 3. None: this
    is a column, or one of the k columns of a tensor (-1, k)."""
    optional: frozenset[str] = frozenset()
    """Paths of properties of objects, from the input on, that may be left out."""
    is_hinted: bool = False
    """The signature is that of a type hint: MLflow compares the values with Python's own types."""
    may_round: bool = False
    """`model.casts` allows numbers of any type: rounded to this one, or rejected where it cannot hold them."""
    fill: bool | int | float | str | None = None
    """What `model.missing` puts in the place of NULL, NaN and infinities; None: they stay."""


@dataclass(frozen=True, slots=True)
class RequestedResult:
    """What `score_udf` asks of a model, which then needs no signature: what one says of inputs and params is obeyed,
    and of params that it does not have MLflow's warning is given."""

    type: pa.DataType | None = None
    """The type of one prediction. None: that of the signature, and double where it has none."""


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model resolved once: an alias becomes a version, its files a digest and a private local copy."""

    name: str
    version: str
    model_id: str
    digest: str
    """sha256 over the relative paths and contents of the model's files."""
    path: str
    """The private copy on the driver."""
    runtime: Literal["pyfunc", "sklearn", "onnx", "torch"]
    inputs: tuple[ModelInput, ...]
    tensor: bool
    """The signature is of tensors: the inputs go to the model as arrays, not as columns of a frame."""
    output: pa.DataType
    """Type of one prediction: a scalar, a list or a struct."""
    config: str | None = None
    """What overrides the settings that it was logged with, as JSON; None: nothing does."""
    declared: Mapping[str, str] | None = None
    """The signature of the config, side -> MLflow's JSON, where the model has none."""
    parts: OutputParts = NO_OUTPUT_PARTS
    """Which parts of it may be missing, and how long its lists are."""
    trust: TrustPolicy = WARNING_POLICY
    """By which it was allowed; executors decide by it once more."""
    warnings: tuple[str, ...] = ()
    """What the policy warns of."""
    described: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """Its MLmodel file, as it was read when the model was resolved; None: to be read."""
    executed: "PinnedModel | None" = None
    """What executes in its place, where more is asked of it than its prediction: it returns a struct, whose field
    `prediction` is what this model returns. None: this model."""


@dataclass(frozen=True, slots=True)
class ReportedModel:
    """The model that a run scored with."""

    name: str
    """In the registry."""
    version: str
    """In the registry."""
    model_id: str = ""
    """MLflow's id of the logged model; empty for models logged before MLflow 3."""
    digest: str = ""
    """sha256 of its files."""
