"""Which Arrow type an MLflow type is."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import SignatureError

INPUT_DATETIME = pa.timestamp("ns")
"""MLflow hands models datetimes without a zone, in nanoseconds."""

OUTPUT_DATETIME = pa.timestamp("us", tz="UTC")
"""What Spark and Delta call TIMESTAMP."""

_MLFLOW_SCALAR_TYPES: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
}
_SPARK_WIDER_TYPES = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
}


def column_type(spec: Mapping[str, Any], datetime: pa.DataType) -> pa.DataType:
    """The Arrow type of a column specification of MLflow: a scalar, a list (Array) or a struct (Object).

    Raises:  SignatureError for maps, vectors and `any`.
    """
    kind = spec["type"]
    if kind == "datetime":
        return datetime
    if kind == "array":
        return pa.list_(column_type(spec["items"], datetime))
    if kind == "object":
        return pa.struct([pa.field(name, column_type(inner, datetime)) for name, inner in spec["properties"].items()])
    if kind not in _MLFLOW_SCALAR_TYPES:
        raise SignatureError(
            f"the signature has the type {json.dumps(kind)}",
            f"one of {', '.join(_MLFLOW_SCALAR_TYPES)}, datetime, array, object",
            "log the model again",
        )
    return _MLFLOW_SCALAR_TYPES[kind]


def tensor_type(dtype: str) -> pa.DataType:
    """The Arrow type of a tensor's elements, as numpy names them.

    Raises:  SignatureError for `object` and everything else that Arrow has no name for.
    """
    if dtype == "str":
        return pa.string()
    try:
        return pa.from_numpy_dtype(np.dtype(dtype))
    except (pa.ArrowException, TypeError) as error:
        raise SignatureError(
            f"the signature has a tensor of {dtype}",
            "numbers, booleans or str",
            "log the model again with a typed output",
        ) from error


def widen_to_spark_type(arrow: pa.DataType) -> pa.DataType:
    """The smallest type that Spark has and that holds every value of this one: Spark knows no unsigned numbers.

    Raises:  SignatureError for 64 unsigned bits, which none holds.
    """
    if arrow == pa.uint64():
        raise SignatureError(
            "the signature has an output of uint64", "at most int64", "return int64, and log the model again"
        )
    if pa.types.is_timestamp(arrow):
        return OUTPUT_DATETIME
    return _SPARK_WIDER_TYPES.get(arrow, arrow)
