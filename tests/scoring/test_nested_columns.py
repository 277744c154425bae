"""What Spark hands to a pandas_udf for nested columns, in Arrow."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkscore.errors import PredictError
from sparkscore.records import ModelInput
from sparkscore.scoring.nested_columns import build_nested_column
from sparkscore.scoring.pandas_conversion import to_kernel_batch

ANY = pa.null()
MAP = pa.map_(pa.string(), pa.int64())


def arrow(column: Any, kind: pa.DataType) -> pa.Array:
    """The column as the kernel gets it."""
    return to_kernel_batch([column], [ModelInput("x", kind, required=True)], has_keep_column=False).column(0)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (MAP, [{"a": 1, "b": 2**53 + 1}, None, {}, {"c": 3}]),
        (pa.map_(pa.string(), pa.list_(pa.string())), [{"a": np.array(["x"], object)}, {"b": None}]),
        (pa.map_(pa.string(), pa.struct([("a", pa.int64())])), [{"k": {"a": 1}}, {"l": None}]),
        (pa.list_(MAP), [np.array([{"a": 1}, None], object), None, np.array([], object)]),
        (ANY, [{"a": 1}, {"b": 2}]),
        (ANY, [{}, None]),
    ],
)
def test_dicts_are_maps_where_the_signature_says_so_or_their_keys_differ(kind: pa.DataType, values: list[Any]) -> None:
    column = arrow(pd.Series(values, dtype=object), kind)
    back = column.to_pylist(maps_as_pydicts="strict")
    assert back == [one.tolist() if isinstance(one, np.ndarray) else one for one in plain(values)]


def plain(value: Any) -> Any:
    """Arrays as lists."""
    if isinstance(value, np.ndarray | list):
        return [plain(one) for one in value]
    return {name: plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def test_dicts_of_equal_keys_are_structs_where_the_signature_leaves_it_open() -> None:
    column = arrow(pd.Series([{"a": 1, "b": "x"}, {"a": 2, "b": None}], dtype=object), ANY)
    assert column.type == pa.struct([("a", pa.int64()), ("b", pa.string())])


def test_a_struct_is_the_map_that_a_model_takes() -> None:
    frame = pd.DataFrame({"a": np.array([1, 2], np.int32), "b": np.array([3, 4], np.int32)})
    assert arrow(frame, MAP).to_pylist() == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_numbers_in_maps_have_the_width_that_the_signature_says_where_it_holds_them() -> None:
    kind = pa.map_(pa.string(), pa.int32())
    assert arrow(pd.Series([{"a": 1}]), kind).type == kind
    assert arrow(pd.Series([{"a": 2**40}]), kind).type == MAP  # which the kernel refuses


def test_a_null_key_is_refused_without_the_values() -> None:
    with pytest.raises(PredictError, match="1 keys of maps in a batch are NULL") as caught:
        build_nested_column([{"a": 1, None: 77}], MAP)
    assert "77" not in str(caught.value)
    assert caught.value.exit_code == 4
