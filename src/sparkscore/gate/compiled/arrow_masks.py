"""What a row has to be like, computed on a batch. Runs on executors, and imports pyarrow alone beside errors.

`gate.compiled.arrow_forms` binds all arguments but the batch on the driver. Each mask holds true, false, or NULL (not
judged) for each row.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ScanUnsupported

RowMaskFunction = Callable[[pa.RecordBatch], pa.Array]
"""A batch -> for each row true, false, or NULL: not judged."""

ArrowLimit = tuple[str, Any]
"""Name of a comparison of pyarrow's, and what a value is compared with; `never`, with nothing."""

_SAMPLE_ROWS, _FEW_OF_SAMPLE = 512, 256
_ARROW_JOINS = {"and": pc.and_kleene, "or": pc.or_kleene}
_ARROW_COMPARISONS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_NAN_COMPARISONS = {"==": False, "!=": True, "<": False, "<=": False, ">": True, ">=": True}
"""Of NaN beside a number: Spark has it greater than all of them."""


def valid_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    """Not NULL."""
    return batch.column(name).is_valid()


def null_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    """NULL."""
    return batch.column(name).is_null()


def number_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    """Neither NULL nor NaN."""
    return pc.invert(batch.column(name).is_null(nan_is_null=True))


def inverted_mask(predicate: RowMaskFunction, batch: pa.RecordBatch) -> pa.Array:
    """The opposite; NULL stays NULL."""
    return pc.invert(predicate(batch))


def joined_mask(predicates: Sequence[RowMaskFunction], join: str, batch: pa.RecordBatch) -> pa.Array:
    """All of them (`and`), or any (`or`), as SQL joins them."""
    return reduce(_ARROW_JOINS[join], [predicate(batch) for predicate in predicates])


def within_limits_mask(name: str, limits: Sequence[ArrowLimit], batch: pa.RecordBatch) -> pa.Array:
    """A value within all limits."""
    return _all_limits_mask(_widen_numbers(batch.column(name)), limits)


def length_within_limits_mask(name: str, unit: str, limits: Sequence[ArrowLimit], batch: pa.RecordBatch) -> pa.Array:
    """A length within all limits; `unit`: `binary` counts bytes, else characters."""
    column = batch.column(name)
    lengths = pc.binary_length(column) if unit == "binary" else pc.utf8_length(column)
    return _all_limits_mask(lengths.cast(pa.int64()), limits)


def in_set_mask(name: str, values: pa.Array, batch: pa.RecordBatch) -> pa.Array:
    """A value that the set holds."""
    column = batch.column(name)
    value_set = _cast_value_set(values, column.type) if len(values) else pa.array([], column.type)
    return pc.if_else(column.is_valid(), pc.is_in(column, value_set=value_set), pa.scalar(None, pa.bool_()))


def comparison_mask(name: str, comparison: str, value: pa.Scalar, batch: pa.RecordBatch) -> pa.Array:
    """A value for which a comparison of `row_condition` is true."""
    column = batch.column(name)
    if pa.types.is_float64(value.type) and pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)  # as Spark casts
    comparable = _widen_numbers(column) if pa.types.is_integer(column.type) else _align_timestamps(column)
    mask = _ARROW_COMPARISONS[comparison](comparable, value)
    if pa.types.is_floating(column.type):
        mask = pc.if_else(pc.is_nan(column), _NAN_COMPARISONS[comparison], mask)
    return mask


def pattern_mask(name: str, pattern: str, batch: pa.RecordBatch) -> pa.Array:
    """Text in which RE2 finds the pattern.

    Raises:  ScanUnsupported for bytes that are no text: Java reads another character there, RE2 none.
    """
    column = batch.column(name)
    if not _has_few_values(column):
        return _match_texts(name, column, pattern)
    encoded = column.dictionary_encode()
    return _match_texts(name, encoded.dictionary, pattern).take(encoded.indices)


def ignored_rows_mask(names: Sequence[str], all_missing: bool, batch: pa.RecordBatch) -> pa.Array:
    """Rows where all columns are NULL (`all_missing`), or any."""
    return reduce(pc.and_ if all_missing else pc.or_, [batch.column(name).is_null() for name in names])


def never_mask(batch: pa.RecordBatch) -> pa.Array:
    """No row."""
    return pa.repeat(False, batch.num_rows)


def greater_mask(first: str, second: str, or_equal: bool, batch: pa.RecordBatch) -> pa.Array:
    """The first column's value greater than the second's; NaN never is."""
    left, right = batch.column(first), batch.column(second)
    mask = (pc.greater_equal if or_equal else pc.greater)(left, right)
    if or_equal:
        mask = pc.or_kleene(mask, equal_mask(first, second, batch))
    for column in (left, right):
        if pa.types.is_floating(column.type):
            mask = pc.and_kleene(mask, pc.invert(pc.is_nan(column)))
    return mask


def equal_mask(first: str, second: str, batch: pa.RecordBatch) -> pa.Array:
    """Two equal values. NULL is NULL, NaN is NaN."""
    left, right = batch.column(first), batch.column(second)
    same = pc.equal(left, right)
    if pa.types.is_floating(left.type):
        same = pc.or_(same, pc.and_(pc.is_nan(left), pc.is_nan(right)))
    return pc.if_else(pc.or_(left.is_null(), right.is_null()), pc.and_(left.is_null(), right.is_null()), same)


def all_different_mask(names: Sequence[str], batch: pa.RecordBatch) -> pa.Array:
    """No two of the columns with equal values."""
    return pc.invert(reduce(pc.or_, [equal_mask(first, second, batch) for first, second in combinations(names, 2)]))


def judged_rows_mask(
    names: Sequence[str], all_missing: bool, predicate: RowMaskFunction, batch: pa.RecordBatch
) -> pa.Array:
    """The predicate, NULL for rows that are ignored."""
    return pc.if_else(ignored_rows_mask(names, all_missing, batch), pa.scalar(None, pa.bool_()), predicate(batch))


def _match_texts(name: str, texts: pa.Array, pattern: str) -> pa.Array:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raise ScanUnsupported(f"bytes in the column {name} that are no text", "UTF-8") from None
    return pc.match_substring_regex(texts, pattern)


def _has_few_values(column: pa.Array) -> bool:
    """Whether it is worth to look at each value once: by the first rows."""
    sample = column.slice(0, _SAMPLE_ROWS)
    return len(column) > _SAMPLE_ROWS and len(sample.unique()) <= _FEW_OF_SAMPLE


def _all_limits_mask(column: pa.Array, limits: Sequence[ArrowLimit]) -> pa.Array:
    """NaN is within nothing, not even where there are no limits."""
    if not limits:
        return pc.equal(column, column)
    return reduce(pc.and_, [_limit_mask(column, comparison, limit) for comparison, limit in limits])


def _limit_mask(column: pa.Array, comparison: str, limit: Any) -> pa.Array:
    return pc.not_equal(column, column) if comparison == "never" else getattr(pc, comparison)(column, limit)


def _cast_value_set(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values if values.type == kind else values.cast(kind)


def _widen_numbers(column: pa.Array) -> pa.Array:
    """Integers as the widest, floating numbers as doubles."""
    if pa.types.is_integer(column.type) and column.type != pa.int64():
        return column.cast(pa.int64())
    if pa.types.is_floating(column.type) and column.type != pa.float64():
        return column.cast(pa.float64())
    return _align_timestamps(column)


def _align_timestamps(column: pa.Array) -> pa.Array:
    """Timestamps in Spark's unit."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return column.cast(pa.timestamp("us", kind.tz))
    return column
