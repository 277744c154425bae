"""Missing values of a model's inputs, and what takes their place. Executors use it: it imports pyarrow only."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import ModelInput


def missing_values_mask(column: pa.Array) -> pa.Array:
    """Whether a value is NULL, NaN or infinite."""
    if not pa.types.is_floating(column.type):
        return column.is_null()
    return pc.invert(pc.is_finite(column)).fill_null(True)


def fill_missing_values(column: pa.Array, model_input: ModelInput) -> pa.Array:
    """The column, of the input's type, with the value of `model.missing` in place of missing ones."""
    if model_input.fill is None:
        return column
    return pc.if_else(missing_values_mask(column), pa.scalar(model_input.fill, model_input.type), column)


def count_filled_values(columns: Sequence[pa.Array], inputs: Sequence[ModelInput]) -> int:
    """How many values of a batch `fill_missing_values` replaces."""
    filled = [column for column, one in zip(columns, inputs, strict=False) if one.fill is not None]
    return sum(pc.sum(missing_values_mask(column), min_count=0).as_py() for column in filled)
