"""The signature in an MLmodel file as Arrow types. Runs on the driver."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sparkscore.errors import SignatureError
from sparkscore.model.signature.mlflow_input_types import optional_properties, read_input_type
from sparkscore.model.signature.mlflow_output_parts import read_output_parts, row_tensor_shape
from sparkscore.model.signature.mlflow_types import (
    OUTPUT_DATETIME,
    column_type,
    tensor_type,
    widen_to_spark_type,
)
from sparkscore.records import NO_OUTPUT_PARTS, ModelInput, OutputParts, RequestedResult

_LOG_SIGNATURE_ADVICE = "log the model with signature=mlflow.models.infer_signature(features, predictions)"


@dataclass(frozen=True, slots=True)
class ModelParam:
    """One parameter of a signature."""

    type: str
    """As MLflow names it."""
    is_list: bool
    properties: Mapping[str, Any] | None = None
    """Of an object: what MLflow says of each."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives."""

    inputs: tuple[ModelInput, ...]
    tensor: bool
    output: pa.DataType
    params: Mapping[str, ModelParam]
    parts: OutputParts = NO_OUTPUT_PARTS


def read_mlflow_signature(mlmodel: Mapping[str, Any], request: RequestedResult | None = None) -> Signature:
    """The signature in an MLmodel file. With a `request` it may lack inputs (then any columns are taken), and outputs:
    then the prediction is a double, unless the request names a type, which goes before the signature's.

    Shapes:  inputs: columns as they are. One tensor (-1, k) without a name -> k inputs without names, from k columns of
             numbers (`merge_tensor_inputs` makes one of them). Any other tensor (-1, …) -> one input: (-1,) and (-1, 1)
             a column of numbers, (-1, 2, 3) a column of lists of 2 lists of 3. Several tensors have names.
             Output: a tensor (-1,) or one column -> scalar, a tensor (-1, k) or (k,) -> list, several columns ->
             struct.
    Runs on: driver.
    Raises:  SignatureError where there is none, or one that cannot be scored in batches of rows.
    """
    try:
        return _parse_signature(mlmodel.get("signature") or {}, request, is_hinted=is_hinted_model(mlmodel))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(
            f"the model's signature cannot be read: {type(error).__name__}", "MLflow's own", _LOG_SIGNATURE_ADVICE
        ) from error


def output_names(mlmodel: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The names that the signature gives its outputs; None for those without.

    Needs:   a signature that `read_mlflow_signature` has read.
    """
    return _read_signature_names(mlmodel, "outputs")


def tensor_names(mlmodel: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The names of the input tensors; None for those without. Nothing where the signature is of columns."""
    return _read_signature_names(mlmodel, "inputs", of="tensor")


def _read_signature_names(mlmodel: Mapping[str, Any], side: str, of: str | None = None) -> tuple[str | None, ...]:
    specs = json.loads((mlmodel.get("signature") or {}).get(side) or "[]")
    return tuple(spec.get("name") for spec in specs if of is None or spec["type"] == of)


def is_hinted_model(mlmodel: Mapping[str, Any]) -> bool:
    """Whether the signature comes from the type hint of a PythonModel, which gets Python's own types then."""
    return mlmodel.get("is_signature_from_type_hint") is True


def _parse_signature(parts: Mapping[str, Any], request: RequestedResult | None, *, is_hinted: bool) -> Signature:
    inputs, outputs, params = (json.loads(parts.get(name) or "null") for name in ("inputs", "outputs", "params"))
    if request is None and (not inputs or not outputs):
        raise SignatureError(
            f"no {'outputs' if inputs else 'inputs'} in the model's signature", "both", _LOG_SIGNATURE_ADVICE
        )
    inputs = inputs or ()
    _refuse_repeated_names(inputs)
    tensor = any(spec["type"] == "tensor" for spec in inputs)
    parsed = _parse_tensor_inputs(inputs) if tensor else _parse_column_inputs(inputs)
    output, output_parts = _resolve_output(outputs, request)
    return Signature(
        inputs=tuple(replace(one, is_hinted=is_hinted) for one in parsed),
        tensor=tensor,
        output=output,
        params={param["name"]: _parse_param(param) for param in params or ()},
        parts=output_parts,
    )


def _resolve_output(
    outputs: Sequence[Mapping[str, Any]] | None, request: RequestedResult | None
) -> tuple[pa.DataType, OutputParts]:
    """The type of a prediction: the requested one, that of the signature, or double as MLflow has it."""
    if outputs and (request is None or request.type is None):
        return _parse_signature_output(outputs, allows_maps=request is not None), read_output_parts(outputs)
    wanted = None if request is None else request.type
    return pa.float64() if wanted is None else wanted, OutputParts(is_requested=True)


def _parse_param(spec: Mapping[str, Any]) -> ModelParam:
    return ModelParam(str(spec["type"]), bool(spec.get("shape")), spec.get("properties"))


def _refuse_repeated_names(specs: Sequence[Mapping[str, Any]]) -> None:
    counts = Counter(str(spec["name"]) for spec in specs if spec.get("name") is not None)
    if repeated := sorted(name for name, count in counts.items() if count > 1):
        raise SignatureError(
            f"the model's signature names {', '.join(repeated)} more than once",
            "each input once",
            "name the columns apart, and log the model again",
        )


def _parse_column_inputs(specs: Sequence[Mapping[str, Any]]) -> tuple[ModelInput, ...]:
    return tuple(_parse_column_input(spec, index) for index, spec in enumerate(specs))


def _parse_column_input(spec: Mapping[str, Any], position: int) -> ModelInput:
    name = spec.get("name")
    if name is not None and not isinstance(name, str):  # a frame without column names has numbers for names
        if name != position:
            raise SignatureError(
                f"the input name {name!r} is a {type(name).__name__}",
                "text",
                "name the columns, and log the model again",
            )
        name = None
    is_required = spec.get("required") is not False
    return ModelInput(name, read_input_type(spec), is_required, optional=frozenset(optional_properties(spec)))


def merge_tensor_inputs(inputs: tuple[ModelInput, ...], mapping: Mapping[str, str]) -> tuple[ModelInput, ...]:
    """The inputs where one column brings all of a tensor (-1, k): `model.inputs: {"0": embedding}` and nothing more.

    Shapes:  k inputs without names -> one, of lists of k.
    """
    first = inputs[0]
    if len(inputs) == 1 or set(mapping) != {"0"} or any(one != first for one in inputs) or first.name is not None:
        return inputs
    return (ModelInput(None, pa.list_(first.type), True, (len(inputs),)),)


def _parse_tensor_inputs(specs: Sequence[Mapping[str, Any]]) -> tuple[ModelInput, ...]:
    names = [spec.get("name") for spec in specs]
    shapes = [tuple(spec["tensor-spec"]["shape"]) for spec in specs]
    is_named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if not all(map(_is_row_tensor_shape, shapes)) or not (is_named or names == [None]):
        raise SignatureError(
            f"the signature has {len(specs)} tensor(s), of shape {', '.join(map(str, shapes))}",
            "tensors of shape (-1, …): rows, and fixed sizes after them; each with a name where there are several",
            "log the model with a data frame as input example, or wrap it in a mlflow.pyfunc.PythonModel",
        )
    types = [tensor_type(spec["tensor-spec"]["dtype"]) for spec in specs]
    if not is_named and len(shapes[0]) == 2:
        return tuple([ModelInput(None, types[0], required=True)] * shapes[0][1])
    return tuple(_build_tensor_input(*parts) for parts in zip(names, types, shapes, strict=True))


def _is_row_tensor_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 1 and shape[0] == -1 and all(size >= 1 for size in shape[1:])


def _build_tensor_input(name: str | None, kind: pa.DataType, shape: tuple[int, ...]) -> ModelInput:
    row = shape[1:]
    for _ in row if row != (1,) else ():
        kind = pa.list_(kind)
    return ModelInput(name, kind, True, row)


def _parse_signature_output(specs: Sequence[Mapping[str, Any]], *, allows_maps: bool) -> pa.DataType:
    types = [_parse_output_type(spec, allows_maps=allows_maps) for spec in specs]
    if len(types) == 1:
        return types[0]
    return pa.struct(
        [
            pa.field(str(spec.get("name", position)), kind)
            for position, (spec, kind) in enumerate(zip(specs, types, strict=True))
        ]
    )


def _parse_output_type(spec: Mapping[str, Any], *, allows_maps: bool) -> pa.DataType:
    """`allows_maps`: the predictions go to the caller, not to a table, whose checks know no maps."""
    if spec["type"] == "map" and allows_maps:
        return pa.map_(pa.string(), _parse_output_type(spec["values"], allows_maps=True))
    if spec["type"] != "tensor":
        return column_type(spec, OUTPUT_DATETIME)
    dtype = spec["tensor-spec"]["dtype"]
    # labels that are text come as numpy's object; anything else fails when it is predicted
    kind = pa.string() if dtype == "object" else widen_to_spark_type(tensor_type(dtype))
    for _ in row_tensor_shape(spec["tensor-spec"]["shape"]):
        kind = pa.list_(kind)
    return kind
