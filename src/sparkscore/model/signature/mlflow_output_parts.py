"""What the outputs of an MLflow signature say beyond types: which parts may be missing, how long lists are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sparkscore.records import OutputParts, field_path, item_path, value_path
from sparkscore.schemas import PREDICTION_COLUMN


def read_output_parts(specs: Sequence[Mapping[str, Any]]) -> OutputParts:
    """The parts of a prediction, from a signature's outputs.

    A single output is the prediction itself, of which only the user can say that it may be missing. Several are its
    fields, and optional where they say `required: false`; so are the properties of objects.

    Needs:   outputs that `read_mlflow_signature` takes.
    """
    is_single = len(specs) == 1
    paths = [
        PREDICTION_COLUMN if is_single else field_path(PREDICTION_COLUMN, str(spec.get("name", position)))
        for position, spec in enumerate(specs)
    ]
    optional = {path for spec, path in zip(specs, paths, strict=True) if not is_single and _is_optional(spec)}
    for spec, path in zip(specs, paths, strict=True):
        optional.update(_optional_property_paths(spec, path))
    sizes = [size for spec, path in zip(specs, paths, strict=True) for size in _tensor_sizes(spec, path)]
    name = specs[0].get("name") if is_single else None
    return OutputParts(None if name is None else str(name), frozenset(optional), tuple(sizes))


def _is_optional(spec: Mapping[str, Any]) -> bool:
    return spec.get("required") is False


def _optional_property_paths(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    if spec["type"] == "array":
        yield from _optional_property_paths(spec["items"], item_path(path))
    if spec["type"] == "map":
        yield from _optional_property_paths(spec["values"], value_path(path))
    if spec["type"] == "object":
        for name, inner in spec["properties"].items():
            if _is_optional(inner):
                yield field_path(path, name)
            yield from _optional_property_paths(inner, field_path(path, name))


def row_tensor_shape(shape: Sequence[int]) -> Sequence[int]:
    """What each row has of a tensor of outputs: one whose first size is fixed is each row's own, as MLflow takes it."""
    return shape[1:] if shape and shape[0] < 0 else shape


def _tensor_sizes(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, int]]:
    for size in row_tensor_shape(spec["tensor-spec"]["shape"]) if spec["type"] == "tensor" else ():
        if size >= 0:
            yield path, size
        path = item_path(path)
