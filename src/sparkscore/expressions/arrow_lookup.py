"""Looks keys up in the rows of a small table. Executors use it: pyarrow only."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.expressions.typed_expressions import LookupContent


def look_up_values(content: LookupContent, keys: Sequence[pa.Array], default: pa.Scalar) -> pa.Array:
    """The value in the row with an equal key; the default where there is none, or a part of the key is NULL.

    Needs:   keys of the types of the content's.
    """
    rows = _find_rows(content, keys)
    found = content.values.take(rows)
    return found if not default.is_valid else pc.if_else(rows.is_valid(), found, default)


def _find_rows(content: LookupContent, keys: Sequence[pa.Array]) -> pa.Array:
    """The number of the row, NULL for none. A key of several columns becomes one number."""
    wanted, stored = keys[0], content.keys[0]
    for key, column in zip(keys[1:], content.keys[1:], strict=True):
        wanted, stored = _combine_columns((wanted, stored), (key, column))
    return pc.index_in(wanted, value_set=stored, skip_nulls=True)


def _combine_columns(first: tuple[pa.Array, pa.Array], second: tuple[pa.Array, pa.Array]) -> tuple[pa.Array, pa.Array]:
    """Two columns as one, of the wanted and of the stored keys: NULL where one of the values is in no stored key."""
    codes = [[_number_values(values, stored) for values in (wanted, stored)] for wanted, stored in (first, second)]
    width = len(second[1]) + 1
    wanted, stored = (pc.add(pc.multiply(left, width), right) for left, right in zip(*codes, strict=True))
    return wanted, stored


def _number_values(values: pa.Array, stored: pa.Array) -> pa.Array:
    return pc.cast(pc.index_in(values, value_set=pc.unique(stored), skip_nulls=True), pa.int64())
