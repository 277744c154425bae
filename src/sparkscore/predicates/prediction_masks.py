"""Masks over predictions in Arrow: which lack a part that must be there. Executors use it: pyarrow and numpy only."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import field_path, item_path
from sparkscore.schemas import PREDICTION_COLUMN


def missing_predictions_mask(
    predictions: pa.Array, nullable: Collection[str], path: str = PREDICTION_COLUMN
) -> pa.Array:
    """Whether each prediction, or a part of it, is NULL or NaN and may not be: its path is not among `nullable`.

    Of what is NULL itself no part is missing. The gate (`gate.missing_parts`) says the same of Spark's columns.
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
