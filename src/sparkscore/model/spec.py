"""The signature in an MLmodel file as Arrow types. Runs on the driver."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkscore.errors import SignatureError
from sparkscore.model.types import INPUT_DATETIME, OUTPUT_DATETIME, column_type, spark_type, tensor_type
from sparkscore.records import ModelInput

_ADD = "log the model with signature=mlflow.models.infer_signature(features, predictions)"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives."""

    inputs: tuple[ModelInput, ...]
    tensor: bool
    output: pa.DataType
    params: Mapping[str, str]
    """Name and MLflow type of each parameter."""


def signature_of(mlmodel: Mapping[str, Any]) -> Signature:
    """The signature in an MLmodel file.

    Shapes:  inputs: one tensor (-1, k) -> k inputs without names. Output: a tensor (-1,) or one column -> scalar, a
             tensor (-1, k) -> list, several columns -> struct.
    Runs on: driver.
    Raises:  SignatureError where there is none, or one that cannot be scored in batches of rows.
    """
    try:
        return _signature(mlmodel.get("signature") or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(
            f"a signature that cannot be read: {type(error).__name__}", "MLflow's own", _ADD
        ) from error


def _signature(parts: Mapping[str, Any]) -> Signature:
    inputs, outputs, params = (json.loads(parts.get(name) or "null") for name in ("inputs", "outputs", "params"))
    if not inputs or not outputs:
        raise SignatureError(f"no {'outputs' if inputs else 'inputs'} in the model's signature", "both", _ADD)
    tensor = any(spec["type"] == "tensor" for spec in inputs)
    return Signature(
        inputs=_tensor_inputs(inputs) if tensor else tuple(_input(spec, place) for place, spec in enumerate(inputs)),
        tensor=tensor,
        output=_output(outputs),
        params={param["name"]: str(param["type"]) for param in params or ()},
    )


def _input(spec: Mapping[str, Any], position: int) -> ModelInput:
    name = spec.get("name")
    if name is not None and not isinstance(name, str):  # a frame without column names has numbers for names
        if name != position:
            raise SignatureError(
                f"the input name {name!r}, a {type(name).__name__}", "text", "name the columns, and log again"
            )
        name = None
    return ModelInput(name, column_type(spec, INPUT_DATETIME), spec.get("required") is not False)


def _tensor_inputs(specs: Sequence[Mapping[str, Any]]) -> tuple[ModelInput, ...]:
    shape = specs[0]["tensor-spec"]["shape"]
    if len(specs) != 1 or len(shape) != 2 or shape[0] != -1 or shape[1] < 1:
        raise SignatureError(
            f"a signature of {len(specs)} tensor(s), the first of shape {tuple(shape)}",
            "one tensor of shape (-1, k), or columns",
            "log the model with a data frame as input example, or wrap it in a mlflow.pyfunc.PythonModel",
        )
    one = ModelInput(None, tensor_type(specs[0]["tensor-spec"]["dtype"]), required=True)
    return tuple([one] * shape[1])


def _output(specs: Sequence[Mapping[str, Any]]) -> pa.DataType:
    types = [_output_type(spec) for spec in specs]
    if len(types) == 1:
        return types[0]
    return pa.struct(
        [
            pa.field(str(spec.get("name", position)), kind)
            for position, (spec, kind) in enumerate(zip(specs, types, strict=True))
        ]
    )


def _output_type(spec: Mapping[str, Any]) -> pa.DataType:
    if spec["type"] != "tensor":
        return column_type(spec, OUTPUT_DATETIME)
    dtype = spec["tensor-spec"]["dtype"]
    # labels that are text come as numpy's object; anything else fails when it is predicted
    kind = pa.string() if dtype == "object" else spark_type(tensor_type(dtype))
    for _ in spec["tensor-spec"]["shape"][1:]:
        kind = pa.list_(kind)
    return kind
