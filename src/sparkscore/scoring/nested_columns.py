"""Nested pandas values of a pandas_udf in Arrow: maps and structs both arrive as dicts. Runs on executors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError


def build_nested_column(values: Sequence[Any], guide: pa.DataType) -> pa.Array:
    """The values as a column whose maps are maps. Numbers in them are Python's own, which have no width.

    Where the guide leaves it open, dicts that all have the same keys are structs, which become the same dicts again;
    others are maps.

    Raises:  PredictError for a map with a NULL key, which Arrow has not.
    """
    if _holds_kind(values, dict):
        if pa.types.is_struct(guide) or (pa.types.is_null(guide) and _has_same_keys(values)):
            return _build_structs(values, guide)
        return _build_maps(values, guide.item_type if pa.types.is_map(guide) else guide)
    if _holds_kind(values, list | tuple | np.ndarray):
        return _build_lists(values, guide.value_type if pa.types.is_list(guide) else pa.null())
    column = pa.array(values, from_pandas=True)
    return pa.array(values, from_pandas=False) if pa.types.is_floating(column.type) else column


def _holds_kind(values: Sequence[Any], kind: Any) -> bool:
    return isinstance(next((one for one in values if one is not None), None), kind)


def _has_same_keys(values: Sequence[Any]) -> bool:
    keys = {tuple(one) for one in values if one is not None}
    return len(keys) == 1 and keys != {()}


def _build_maps(values: Sequence[Any], item_guide: pa.DataType) -> pa.Array:
    entries = [entry for one in values if one is not None for entry in one.items()]
    missing = sum(key is None for key, _ in entries)
    if missing:
        raise PredictError(f"{missing} keys of maps in a batch are NULL", "maps with text as keys", "filter these rows")
    keys = pa.array([key for key, _ in entries], pa.string() if not entries else None)
    return pa.MapArray.from_arrays(
        _offsets(values), keys, build_nested_column([value for _, value in entries], item_guide), mask=_mask(values)
    )


def _build_lists(values: Sequence[Any], item_guide: pa.DataType) -> pa.Array:
    items = [item for one in values if one is not None for item in one]
    return pa.ListArray.from_arrays(_offsets(values), build_nested_column(items, item_guide), mask=_mask(values))


def _build_structs(values: Sequence[Any], guide: pa.DataType) -> pa.Array:
    guides = {one.name: one.type for one in guide} if pa.types.is_struct(guide) else {}
    names = list(dict.fromkeys(name for one in values if one is not None for name in one))
    children = [
        build_nested_column([None if one is None else one.get(name) for one in values], guides.get(name, pa.null()))
        for name in names
    ]
    return pa.StructArray.from_arrays(children, names, mask=_mask(values))


def _offsets(values: Sequence[Any]) -> pa.Array:
    lengths = [0 if one is None else len(one) for one in values]
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), pa.int32())


def _mask(values: Sequence[Any]) -> pa.Array:
    return pa.array([one is None for one in values], pa.bool_())
