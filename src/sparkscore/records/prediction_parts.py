"""The parts of one prediction by their dotted path, as Spark and Delta name nested columns.

`prediction` is the whole, `prediction.score` a field of it, `prediction.element` the items of a list.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.schemas import PREDICTION_COLUMN


@dataclass(frozen=True, slots=True)
class OutputParts:
    """What a signature says of the parts of a prediction beyond their types."""

    name: str | None = None
    """Of the output, where the signature has one and gives it a name."""
    optional: frozenset[str] = frozenset()
    """Paths of the parts that the model may leave out. Never the whole prediction."""
    sizes: tuple[tuple[str, int], ...] = ()
    """Paths of lists that have a fixed number of items, and how many."""
    is_requested: bool = False
    """The type of a prediction is a caller's wish in place of the signature's outputs: results are cast to it."""


NO_OUTPUT_PARTS = OutputParts()
"""A signature that says nothing beyond types."""


def field_path(path: str, name: str) -> str:
    """The path of a field of a struct."""
    return f"{path}.{name}"


def item_path(path: str) -> str:
    """The path of the items of a list."""
    return f"{path}.element"


def value_path(path: str) -> str:
    """The path of the values of a map."""
    return f"{path}.value"


def prediction_part_paths(kind: pa.DataType, path: str = PREDICTION_COLUMN) -> Iterator[str]:
    """The paths of a prediction of this type and of all its parts, the outer ones first."""
    yield path
    if pa.types.is_struct(kind):
        for field in kind:
            yield from prediction_part_paths(field.type, field_path(path, field.name))
    elif pa.types.is_list(kind):
        yield from prediction_part_paths(kind.value_type, item_path(path))
    elif pa.types.is_map(kind):
        yield from prediction_part_paths(kind.item_type, value_path(path))
