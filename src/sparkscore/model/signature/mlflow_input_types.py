"""Which Arrow type an input of an MLflow signature has. Runs on the driver."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from sparkscore.model.signature.mlflow_types import INPUT_DATETIME, column_type
from sparkscore.model.signature.open_types import ANY_TYPE, map_value_path
from sparkscore.records import field_path, item_path


def read_input_type(spec: Mapping[str, Any]) -> pa.DataType:
    """The Arrow type of an input column: a scalar, a list (Array), a struct (Object), a map of texts (Map), or one that
    is left open (AnyType).

    Raises:  SignatureError for what MLflow's readers of columns do not take.
    """
    kind = spec["type"]
    if kind == "any":
        return ANY_TYPE
    if kind == "map":
        return pa.map_(pa.string(), read_input_type(spec["values"]))
    if kind == "array":
        return pa.list_(read_input_type(spec["items"]))
    if kind == "object":
        return pa.struct([pa.field(name, read_input_type(inner)) for name, inner in spec["properties"].items()])
    return column_type(spec, INPUT_DATETIME)


def optional_properties(spec: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of the properties of objects that may be left out, from the input on."""
    if spec["type"] == "array":
        yield from optional_properties(spec["items"], item_path(path))
    if spec["type"] == "map":
        yield from optional_properties(spec["values"], map_value_path(path))
    if spec["type"] == "object":
        for name, inner in spec["properties"].items():
            if inner.get("required") is False:
                yield field_path(path, name)
            yield from optional_properties(inner, field_path(path, name))
