"""Which predictions lack a part that must be there. Runs on executors."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import field_path, item_path
from sparkscore.schemas import PREDICTION_COLUMN, build_reject_array
from sparkscore.scoring.reject_bisection import NULL_PREDICTION, REJECT_MESSAGES, ScoredBatch


def reject_missing_predictions(scored: ScoredBatch, nullable: Collection[str]) -> ScoredBatch:
    """The batch, with a reject instead of each prediction that lacks a part that must be there."""
    mask = missing_predictions_mask(scored.predictions, nullable)
    if scored.rejects is not None:
        mask = pc.and_(mask, scored.rejects.is_null())
    if not pc.any(mask, min_count=0).as_py():
        return scored
    rows = len(mask)
    kept = pc.if_else(mask, pa.scalar(None, pa.int64()), pa.array(np.arange(rows)))
    codes = pc.if_else(mask, pa.scalar(NULL_PREDICTION), pa.scalar(None, pa.string()))
    messages = pc.if_else(mask, pa.scalar(REJECT_MESSAGES[NULL_PREDICTION]), pa.scalar(None, pa.string()))
    rejects = build_reject_array(codes, pa.nulls(rows, pa.string()), messages)
    if scored.rejects is not None:
        rejects = pc.if_else(mask, rejects, scored.rejects)
    return ScoredBatch(scored.predictions.take(kept), rejects)


def missing_predictions_mask(
    predictions: pa.Array, nullable: Collection[str], path: str = PREDICTION_COLUMN
) -> pa.Array:
    """Whether each prediction, or a part of it, is NULL or NaN and may not be: its path is not among `nullable`.

    Of what is NULL itself no part is missing. The gate that judges the stage (`gate.stage_integrity`) says the same of
    Spark's columns.
    """
    absent = pc.is_null(predictions, nan_is_null=True)
    mask = pa.repeat(False, len(predictions)) if path in nullable else absent
    for part in _part_masks(predictions, nullable, path):
        mask = pc.or_(mask, pc.and_not(part, absent))
    return mask


def _part_masks(predictions: pa.Array, nullable: Collection[str], path: str) -> list[pa.Array]:
    kind = predictions.type
    if pa.types.is_list(kind):
        return [_any_item_mask(predictions, nullable, path)]
    if not pa.types.is_struct(kind):
        return []
    return [
        missing_predictions_mask(part, nullable, field_path(path, field.name))
        for field, part in zip(kind, predictions.flatten(), strict=True)
    ]


def _any_item_mask(lists: pa.Array, nullable: Collection[str], path: str) -> pa.Array:
    items = missing_predictions_mask(lists.flatten(), nullable, item_path(path))
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    row_of_item = np.repeat(np.arange(len(lists)), lengths)
    counts = np.bincount(row_of_item[items.to_numpy(zero_copy_only=False)], minlength=len(lists))
    return pa.array(counts > 0)
