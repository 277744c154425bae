from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sparkscore.model.signature.nested_leaves import change_leaves, has_leaf

DEEP = pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.float64())), ("n", pa.int64())]))
VALUES: list[Any] = [[{"m": [("a", 1.0), ("b", None)], "n": 1}, None], None, [], [{"m": None, "n": None}]]


def double(column: pa.Array) -> pa.Array:
    return pc.multiply(column, 2) if pa.types.is_floating(column.type) else column


@pytest.mark.parametrize("start", [0, 1, 3])
def test_values_change_and_what_holds_them_stays(start: int) -> None:
    column = pa.array(VALUES, DEEP).slice(start)
    changed = change_leaves(column, double)
    changed.validate(full=True)
    text = str(column.to_pylist()).replace("1.0", "2.0")
    assert str(changed.to_pylist()) == text


def test_a_leaf_is_found_however_deep_it_is() -> None:
    assert has_leaf(DEEP, pa.types.is_floating)
    assert not has_leaf(DEEP, pa.types.is_timestamp)
