"""From Arrow to what a model is given. Plain functions on columns, so they need no Spark."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sparkscore.errors import PredictError, SignatureError
from sparkscore.model.casts import fitted, lossless
from sparkscore.model.runtimes import Features
from sparkscore.model.shipped import ShippedModel
from sparkscore.records import ModelInput

_NULLABLE = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}

NULLABLE_INTEGERS = "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype"
"""Where true, Spark hands a pandas_udf integers with NULLs as nullable integers, else as doubles."""


def names(inputs: Sequence[ModelInput]) -> tuple[str, ...]:
    """The inputs' names; positions where the signature has no names."""
    return tuple(one.name if one.name is not None else str(position) for position, one in enumerate(inputs))


def features(columns: Sequence[pa.Array], model: ShippedModel) -> Features:
    """The model's inputs as a frame or, for a tensor, as one array.

    Needs:   one column per input, in the model's order, of any type that the signature's type can hold without loss.
    Shapes:  k columns of n rows -> frame (n, k), or array (n, k) of the tensor's type.
    Runs on: executor.
    Raises:  SignatureError for a wrong number of columns or a lossy cast; PredictError for NULL in integers that take
             none. Neither holds a value of a row.
    """
    inputs = model.inputs
    if len(columns) != len(inputs):
        raise SignatureError(
            f"{len(columns)} columns",
            f"{len(inputs)}: {', '.join(names(inputs))}",
            "pass one column per model input, in this order",
        )
    ready = [_cast(column, name, one) for column, name, one in zip(columns, names(inputs), inputs, strict=True)]
    for column, name, one in zip(ready, names(inputs), inputs, strict=True):
        if pa.types.is_integer(one.type) and (one.required or model.runtime != "sklearn"):
            _refuse_null(column, name, one)
    if model.tensor:
        return _tensor(ready, inputs[0].type)
    labels: list[Any] = [position if one.name is None else one.name for position, one in enumerate(inputs)]
    return pd.DataFrame({label: _series(column, one) for label, column, one in zip(labels, ready, inputs, strict=True)})


def _cast(column: pa.Array, name: str, one: ModelInput) -> pa.Array:
    if not lossless(column.type, one.type):
        raise SignatureError(
            f"input {name} arrives as {column.type}",
            f"{one.type}, or a type that it can hold without loss",
            f"cast the column; integers with NULLs arrive as double unless {NULLABLE_INTEGERS} is true",
        )
    try:
        return fitted(column, one.type)
    except pa.ArrowInvalid:
        message = f"a value of input {name} ({column.type}) does not fit the model's {one.type}"
        raise PredictError(
            message, "values that it can hold", "filter these rows"
        ) from None  # Arrow's message holds the value


def _refuse_null(column: pa.Array, name: str, one: ModelInput) -> None:
    if column.null_count:
        why = (
            f"the signature says {one.type}, required"
            if one.required
            else "MLflow's pyfunc hands models no nullable integers"
        )
        raise PredictError(
            f"{column.null_count} of {len(column)} rows of a batch have NULL in the input {name}",
            f"no NULL: {why}",
            "filter these rows, or log the model with a double input, where NULL is NaN",
        )


def _tensor(columns: Sequence[pa.Array], kind: pa.DataType) -> npt.NDArray[Any]:
    array = np.empty((len(columns[0]), len(columns)), dtype=kind.to_pandas_dtype())
    for position, column in enumerate(columns):
        array[:, position] = column.to_numpy(zero_copy_only=False)
    return array


def _series(column: pa.Array, one: ModelInput) -> Any:
    """One column for pandas: NULL in doubles is NaN, in text None; optional integers are always nullable ones."""
    if pa.types.is_nested(one.type):
        return pd.Series(_objects(column), dtype=object)
    if not one.required and one.type in _NULLABLE:
        return column.to_pandas(types_mapper=_NULLABLE.get)
    return column.to_pandas()


def _objects(column: pa.Array) -> list[Any]:
    """Nested values: lists as numpy arrays, structs as dicts, numbers in numpy's types, which say how wide they are."""
    if pa.types.is_struct(column.type):
        keys = [field.name for field in column.type]
        rows = zip(*(_objects(child) for child in column.drop_null().flatten()), strict=True)
        return [dict(zip(keys, next(rows), strict=True)) if valid else None for valid in column.is_valid().to_pylist()]
    if pa.types.is_list(column.type):
        items = _objects if pa.types.is_nested(column.type.value_type) else _numbers
        return [items(row.values) if row.is_valid else None for row in column]
    return list(_numbers(column))


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    """The column in numpy; integers beside NULL as objects, for numpy would make doubles of them."""
    if not (column.null_count and pa.types.is_integer(column.type)):
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    kind = column.type.to_pandas_dtype()
    return np.array([None if value is None else kind(value) for value in column.to_pylist()], dtype=object)
