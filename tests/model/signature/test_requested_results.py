"""Results in the type that a caller asks for: `result_type` of score_udf."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkscore.errors import PredictError
from sparkscore.model.signature.model_outputs import to_prediction_column
from sparkscore.records import OutputParts

REQUESTED = OutputParts(is_requested=True)
BIG = 2**53 + 1
FRAME = pd.DataFrame(
    {"t": ["a", "b"], "l": [BIG, 2], "i": np.array([1, 2], "int32"), "d": [0.5, 1.5], "b": [True, False]}
)


def cast(result: Any, kind: pa.DataType, rows: int = 2) -> list[Any]:
    column = to_prediction_column(result, rows, kind, parts=REQUESTED)
    assert column.type == kind
    column.validate(full=True)
    return column.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int32(), [1, 2]),
        (pa.int64(), [BIG, 2]),
        (pa.float32(), [float(np.float32(BIG)), 2.0]),
        (pa.float64(), [float(BIG), 2.0]),
        (pa.bool_(), [True, False]),
        (pa.string(), ["a", "b"]),
        (pa.list_(pa.int32()), [[1], [2]]),
        (pa.list_(pa.int64()), [[BIG, 1], [2, 2]]),
        (pa.list_(pa.float64()), [[float(BIG), 1.0, 0.5], [2.0, 2.0, 1.5]]),
        (pa.list_(pa.string()), [["a", str(BIG), "1", "0.5", "True"], ["b", "2", "2", "1.5", "False"]]),
        (pa.struct([("d", pa.float32()), ("i", pa.string())]), [{"d": 0.5, "i": "1"}, {"d": 1.5, "i": "2"}]),
    ],
)
def test_of_a_frame(kind: pa.DataType, expected: list[Any]) -> None:
    assert cast(FRAME, kind) == expected
    assert cast(FRAME.iloc[::-1], kind) == expected  # the index says which rows they are
    if "int32" not in str(kind):  # of which lists know nothing
        assert cast(FRAME.to_dict("list"), kind) == expected


@pytest.mark.parametrize(
    ("result", "kind", "expected"),
    [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), pa.float64(), [1.0, 3.0]),
        (np.array([1, 2]), pa.list_(pa.float64()), [[1.0], [2.0]]),
        ([1, 2], pa.list_(pa.float64()), [[1.0], [2.0]]),
        ([[1, 2], [3]], pa.list_(pa.float32()), [[1.0, 2.0], [3.0]]),
        ([1.0, np.nan], pa.int64(), [1, None]),
        ([1, 2], pa.float32(), [1.0, 2.0]),
        (np.array([1.0, np.nan]), pa.string(), ["1.0", None]),
        ([b"x", None], pa.binary(), [b"x", None]),
        ([{"a": 1}, None], pa.map_(pa.string(), pa.float64()), [[("a", 1.0)], None]),
        ([[], []], pa.list_(pa.int64()), [[], []]),
        ([None, None], pa.int64(), [None, None]),
        (pd.DataFrame({"v": [[1, 2], None]}), pa.list_(pa.float64()), [[1.0, 2.0], None]),
        (np.zeros((2, 2, 2)), pa.list_(pa.list_(pa.float64())), [[[0.0, 0.0], [0.0, 0.0]]] * 2),
    ],
)
def test_of_other_results(result: Any, kind: pa.DataType, expected: list[Any]) -> None:
    assert cast(result, kind) == expected


@pytest.mark.parametrize(
    ("result", "kind", "found"),
    [
        ([1.5, 2.0], pa.int64(), "numbers that no int64 holds"),
        ([1, 2**40], pa.int32(), "numbers that no int32 holds"),
        ([1e300, 1.0], pa.float32(), "numbers beyond the range of float"),
        (["a", "b"], pa.float64(), "values of type string"),
        ([1, 2], pa.bool_(), "values of type int64"),
        ([True, False], pa.float64(), "values of type bool"),
        ([1.0], pa.float64(), "1 predictions"),
        ([1.0, 2.0, 3.0], pa.float64(), "3 predictions"),
        ({"a": ["x", "y"], "b": ["x", "y"]}, pa.int64(), "columns a, b, none of a type that fits int64"),
        ({"a": [1, 2]}, pa.struct([("b", pa.int64())]), "columns a without b"),
        ([(1,), (2, 3)], pa.struct([("a", pa.int64()), ("b", pa.int64())]), "not all tuples of as many values"),
        ([{1: 2}, None], pa.map_(pa.string(), pa.int64()), "dicts with keys that are no text"),
        ([1, 2], pa.map_(pa.string(), pa.int64()), "values that are no dicts"),
    ],
)
def test_what_does_not_fit_is_told_without_a_value(result: Any, kind: pa.DataType, found: str) -> None:
    with pytest.raises(PredictError) as caught:
        cast(result, kind)
    assert found in caught.value.found
    assert caught.value.expected.endswith("as result_type says")
