"""Expressions whose types are known: what the two evaluators compute. Executors use it: pyarrow only."""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from sparkscore.expressions.zone_offsets import ZoneOffsets

TypedOperator = Literal[
    "column", "constant", "cast", "coalesce", "add", "subtract", "multiply", "divide", "concat", "part", "lookup"
]

MIN_DAY, MAX_DAY = -719_162, 2_932_896
"""Days since 1970: 0001-01-01 and 9999-12-31. Dates and times outside of them are NULL."""
DAY_US = 86_400_000_000
MIN_TIME_US, MAX_TIME_US = MIN_DAY * DAY_US, (MAX_DAY + 1) * DAY_US - 1
ZONE_MARGIN_US = 2 * DAY_US
"""No zone is further from UTC."""
LONG, DOUBLE = pa.int64(), pa.float64()
UTC_TIME, LOCAL_TIME = pa.timestamp("us", "UTC"), pa.timestamp("us")

BLANKS = "[ \t\r\n]*"
"""What may stand around a text that is read as another type."""
WHOLE_NUMBER_TEXT = "[+-]?[0-9]{1,19}"
NUMBER_TEXT = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
BOOLEAN_TEXT = "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"
DATE_TEXT = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME_TEXT = DATE_TEXT + r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
"""Texts that are read as another type, for RE2 and Java alike; all others are NULL."""


@dataclass(frozen=True, slots=True)
class LookupContent:
    """The rows of a small table: each key once, none of them NULL. Pickled into every task."""

    rows: pa.Table
    """`key0`, `key1`, …, `value`."""

    @property
    def keys(self) -> list[pa.Array]:
        """The columns of the key."""
        return [_join_chunks(column) for column in self.rows.columns[:-1]]

    @property
    def values(self) -> pa.Array:
        """The values."""
        return _join_chunks(self.rows.column("value"))


@dataclass(frozen=True, slots=True)
class TypedExpression:
    """An operation on values whose types are known. Pickled into every task."""

    op: TypedOperator
    kind: pa.DataType
    parts: tuple["TypedExpression", ...] = ()
    value: Any = None
    """The column's name, the constant, the part's name, or what a lookup gives where it finds nothing."""
    timezone: str | None = None
    zone: ZoneOffsets | None = None
    """Of the time zone, where tasks compute without Spark."""
    lookup: LookupContent | None = None


def _join_chunks(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def convert_value(part: TypedExpression, kind: pa.DataType) -> TypedExpression:
    """The expression as another type, which can hold what it gives; a constant is converted here and now."""
    if part.kind == kind:
        return part
    if part.op == "constant":
        value = float(part.value) if pa.types.is_floating(kind) else part.value
        return TypedExpression("constant", kind, value=value)
    return TypedExpression("cast", kind, (part,))
