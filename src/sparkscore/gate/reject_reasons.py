"""Why rows of a batch must not be scored. Runs on executors, with nothing that they may lack."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.signature.missing_values import missing_values_mask
from sparkscore.schemas import REJECT_TYPE, build_reject_array

REASON_COLUMN = "_sparkscore_reason"
"""The column in which Spark passes its judgement on."""

BrokenRowsFunction = Callable[[pa.RecordBatch], pa.Array | None]
"""A batch -> whether each row breaks a rule: true or false; None where no row does."""

_ConditionMaskFunction = Callable[[pa.RecordBatch], pa.Array]


def find_reject_reasons(
    rules: Sequence[tuple[str, str, BrokenRowsFunction]], batch: pa.RecordBatch
) -> pa.StructArray | None:
    """The reason of the first broken rule, for each row of a batch, NULL where all hold; None where no row breaks one.

    Shapes:  n rows -> n structs of type `schemas.REJECT_TYPE`.
    Needs:   `rules` as (code, message, whether a row breaks it).
    """
    judged = [(code, message, breaks(batch)) for code, message, breaks in rules]
    broken = [(code, message, mask) for code, message, mask in judged if mask is not None and pc.any(mask).as_py()]
    if not broken:
        return None
    codes = messages = pa.nulls(batch.num_rows, pa.string())
    for code, message, mask in reversed(broken):
        codes = pc.if_else(mask, pa.scalar(code), codes)
        messages = pc.if_else(mask, pa.scalar(message), messages)
    return build_reject_array(codes, pa.nulls(batch.num_rows, pa.string()), messages)


def spark_reject_reasons(batch: pa.RecordBatch) -> pa.StructArray | None:
    """The reasons that Spark has added to the rows, of type `schemas.REJECT_TYPE`; None if no row breaks a rule."""
    reasons = batch.column(REASON_COLUMN)
    if reasons.null_count == batch.num_rows:
        return None
    return reasons.cast(REJECT_TYPE)  # Spark declares parts as never NULL, which is another type to Arrow


def null_rows_mask(column: str, batch: pa.RecordBatch) -> pa.Array | None:
    """Whether a value is NULL; None where none is: nearly always, for keys."""
    values = batch.column(column)
    return values.is_null() if values.null_count else None


def filled_rows_mask(column: str, batch: pa.RecordBatch) -> pa.Array | None:
    """Whether a value is there; None where none is."""
    values = batch.column(column)
    return values.is_valid() if values.null_count < len(values) else None


def missing_rows_mask(column: str, batch: pa.RecordBatch) -> pa.Array:
    """Whether a value is NULL, NaN or infinite."""
    return missing_values_mask(batch.column(column))


def unmet_rows_mask(
    predicate: _ConditionMaskFunction, row_condition: _ConditionMaskFunction | None, batch: pa.RecordBatch
) -> pa.Array:
    """Whether a row is known not to meet a condition; `row_condition`: the rows that are judged, all if None."""
    broken = pc.invert(predicate(batch)).fill_null(False)
    return broken if row_condition is None else pc.and_(broken, row_condition(batch).fill_null(False))
