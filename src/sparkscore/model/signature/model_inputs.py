"""Converts Arrow columns to a model's inputs. Plain functions on columns, so they need no Spark."""

from collections.abc import Sequence

import pyarrow as pa

from sparkscore.errors import PredictError, SignatureError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.pyfunc_runtime import Features
from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast
from sparkscore.model.signature.missing_values import fill_missing_values
from sparkscore.model.signature.number_casts import can_cast_numbers, cast_numbers
from sparkscore.model.signature.numpy_inputs import numpy_type, refuse_null, to_numpy_matrix, to_numpy_tensor
from sparkscore.model.signature.open_types import close_input_type, describe_input_type
from sparkscore.model.signature.undeclared_inputs import build_undeclared_frame
from sparkscore.records import ModelInput

NULLABLE_INTEGERS_CONF = "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype"
"""Where true, Spark hands a pandas_udf integers with NULLs as nullable integers, else as doubles."""


def input_names(inputs: Sequence[ModelInput]) -> tuple[str, ...]:
    """The inputs' names; positions where the signature has no names."""
    return tuple(one.name if one.name is not None else str(position) for position, one in enumerate(inputs))


def build_features(columns: Sequence[pa.Array], model: ShippedModel) -> Features:
    """The model's inputs as MLflow hands them to it: a frame or, for a signature of tensors, arrays.

    Needs:   one column per input, in the model's order, of any type that the signature's type can hold without loss;
             where the signature declares none, one struct of all columns.
    Shapes:  columns of n rows -> frame (n, k), array (n, k) of the tensor's type, array (n, …), or a dict of those.
    Runs on: executor.
    Raises:  SignatureError for a wrong number of columns or a lossy cast; PredictError for NULL where the model takes
             none, and for lists of another length than the tensor's; InputOutOfRange for a number that the type in
             which the model computes cannot hold. None holds a value of a row.
    """
    if not model.inputs:
        frame: Features = build_undeclared_frame(columns[0])
        return frame
    ready = cast_model_inputs(columns, model)
    if not model.tensor:
        from sparkscore.model.signature.pandas_inputs import to_pandas_frame

        return to_pandas_frame(ready, model.inputs)
    first = model.inputs[0]
    if first.shape is None:
        return to_numpy_matrix(ready, input_names(model.inputs), numpy_type(first.type), rows_first=True)
    arrays = {
        name: to_numpy_tensor(column, name, one.shape or ())
        for column, name, one in zip(ready, input_names(model.inputs), model.inputs, strict=True)
    }
    return arrays if first.name is not None else arrays["0"]


def build_record_batch(columns: Sequence[pa.Array], model: ShippedModel) -> pa.RecordBatch:
    """The model's inputs in the signature's types, for a model that takes Arrow (`predict_batch`): nothing is copied.

    Needs, Raises: as `build_features`.
    Runs on: executor.
    """
    if not model.inputs:
        raise SignatureError(
            "predict_batch, in a model whose signature declares no inputs",
            "a signature that names the columns",
            "log the model again with a signature",
        )
    return pa.record_batch(cast_model_inputs(columns, model), list(input_names(model.inputs)))


def cast_model_inputs(columns: Sequence[pa.Array], model: ShippedModel) -> list[pa.Array]:
    """The columns in the signature's types, every value kept but those that `model.casts` and `model.missing` change.

    Raises:  SignatureError, PredictError, InputOutOfRange, as `build_features`.
    """
    inputs = model.inputs
    if len(columns) != len(inputs):
        raise SignatureError(
            f"the model got {len(columns)} columns",
            f"{len(inputs)}: {', '.join(input_names(inputs))}",
            "pass one column per model input, in this order",
        )
    names = input_names(inputs)
    ready = [
        fill_missing_values(_cast_input_column(column, name, one), one)
        for column, name, one in zip(columns, names, inputs, strict=True)
    ]
    for column, name, one in zip(ready, names, inputs, strict=True):
        if pa.types.is_integer(one.type) and (one.required or model.runtime != "sklearn"):
            refuse_null(column, name, _null_refusal_reason(one))
    return ready


def _null_refusal_reason(model_input: ModelInput) -> str:
    required = f"the signature says {model_input.type}, required"
    return required if model_input.required else "neither MLflow's pyfunc nor arrays have nullable integers"


def _cast_input_column(column: pa.Array, name: str, model_input: ModelInput) -> pa.Array:
    if column.type == model_input.type:
        return column
    target = close_input_type(model_input.type, column.type, model_input.optional)
    if model_input.may_round and can_cast_numbers(column.type, target):
        return cast_numbers(column, target, name)
    if not is_lossless_cast(column.type, target):
        raise SignatureError(
            f"input {name} arrives as {column.type}",
            f"{describe_input_type(model_input.type)}, or a type that it can hold without loss",
            f"cast the column; integers with NULLs arrive as double unless {NULLABLE_INTEGERS_CONF} is true",
        )
    try:
        return cast_losslessly(column, target)
    except pa.ArrowInvalid:
        message = f"a value of input {name} ({column.type}) does not fit the model's {target}"
        raise PredictError(
            message, "values that it can hold", "filter these rows"
        ) from None  # Arrow's message holds the value
