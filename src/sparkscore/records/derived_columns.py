"""Columns of the prediction table that are computed from others when a stage is read: a closed, typed tree.

`publish.column_expressions` evaluates it as SQL, `stage.column_arrays` in Arrow; both give the same values, to the bit.
Of every result NaN is NULL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

Label = str | int
"""Of a class, or of a bin."""


@dataclass(frozen=True, slots=True)
class CopyValue:
    """The value as it is."""


@dataclass(frozen=True, slots=True)
class SelectField:
    """A field of a struct, or of a struct within it."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SelectElement:
    """The value at a position, from 0; NULL beyond the end."""

    position: int


@dataclass(frozen=True, slots=True)
class GreatestValue:
    """The greatest value; NULL where there is none."""


@dataclass(frozen=True, slots=True)
class GreatestLabel:
    """The label of the greatest value, of equal ones that of the first."""

    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class TopValues:
    """The greatest values with their labels, descending; of equal ones the first comes first."""

    labels: tuple[Label, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A curve of straight lines between points; before the first and behind the last it is level."""

    x: tuple[float, ...]
    """Ascending."""
    y: tuple[float, ...]

    @property
    def slopes(self) -> tuple[float, ...]:
        """Of the line that begins at each point: that of the last is 0."""
        pairs = zip(self.x, self.y, self.x[1:], self.y[1:], strict=False)
        return (*((y1 - y0) / (x1 - x0) for x0, y0, x1, y1 in pairs), 0.0)


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """1 / (1 + exp(slope * value + intercept)): Platt's calibration, with the signs of scikit-learn."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class AssignBin:
    """The label of the bin: that of the first for values below the first edge; an edge belongs to the bin above it."""

    edges: tuple[float, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class ApplyThreshold:
    """1 from the threshold on, else 0. The threshold is that of the row's segment, or the default."""

    default: float
    by: str | None = None
    keys: tuple[str, ...] = ()
    """Segments as text, ascending by their UTF-8 bytes."""
    limits: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LookUp:
    """The value of the row of a small table that has the same key; the default where none has it."""

    columns: tuple[str, ...]
    """The columns whose values are the key."""
    keys: tuple[str, ...]
    """Keys as `key_text`, ascending by their UTF-8 bytes."""
    values: tuple[str | None, ...]
    """As text, which casts to the column's type without loss."""
    default: str | None = None


ColumnOperation = (
    CopyValue
    | SelectField
    | SelectElement
    | GreatestValue
    | GreatestLabel
    | TopValues
    | Interpolation
    | Sigmoid
    | AssignBin
    | ApplyThreshold
    | LookUp
)


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """One column that is computed from others of the prediction table."""

    name: str
    type: pa.DataType
    of: str
    """The column that the operation reads; of a lookup the first one of its key."""
    of_type: pa.DataType
    operation: ColumnOperation
    least: float | None = None
    """Smaller results become this."""
    most: float | None = None
    digits: int | None = None
    """Results are rounded to so many decimals, halves away from zero."""
    comment: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it needs."""
        operation = self.operation
        if isinstance(operation, LookUp):
            return operation.columns
        if isinstance(operation, ApplyThreshold) and operation.by is not None:
            return self.of, operation.by
        return (self.of,)


def select_needed_outputs(derived: Sequence[DerivedColumn], names: Iterable[str]) -> tuple[DerivedColumn, ...]:
    """Those of the columns that have one of the names, or that such a one needs; in order."""
    wanted, needed = set(names), []
    for column in reversed(derived):
        if column.name in wanted:
            needed.append(column)
            wanted |= set(column.reads)
    return tuple(reversed(needed))


def order_in_levels(derived: Sequence[DerivedColumn]) -> list[list[DerivedColumn]]:
    """The columns in groups: each reads columns of groups before its own alone."""
    depths: dict[str, int] = {}
    levels: list[list[DerivedColumn]] = []
    for column in derived:
        depth = max((depths[name] + 1 for name in column.reads if name in depths), default=0)
        depths[column.name] = depth
        levels[depth:] = [*(levels[depth:] or [[]])]
        levels[depth].append(column)
    return levels


def key_text(parts: Sequence[str]) -> str:
    """The values of a key as one text: no two keys have the same, whatever characters they hold."""
    return parts[0] if len(parts) == 1 else "".join(f"{len(part)}:{part}" for part in parts)
