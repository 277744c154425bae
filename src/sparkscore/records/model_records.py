"""A model that is resolved and pinned."""

from dataclasses import dataclass
from typing import Literal

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
    may_round: bool = False
    """`model.casts` allows numbers of any type: rounded to this one, or rejected where it cannot hold them."""
    fill: bool | int | float | str | None = None
    """What `model.missing` puts in the place of NULL, NaN and infinities; None: they stay."""


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
    parts: OutputParts = NO_OUTPUT_PARTS
    """Which parts of it may be missing, and how long its lists are."""
    trust: TrustPolicy = WARNING_POLICY
    """By which it was allowed; executors decide by it once more."""
    warnings: tuple[str, ...] = ()
    """What the policy warns of."""
