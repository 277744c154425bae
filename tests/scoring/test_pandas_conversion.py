"""Predictions on their way to Spark, as pandas columns."""

from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from sparkscore.scoring.pandas_conversion import to_pandas_result

BIG = 2**53 + 1
UTC = pa.timestamp("us", tz="UTC")
INNER = pa.struct([("x", pa.float64()), ("n", pa.int64())])


def test_a_struct_in_a_struct_is_a_column_of_dicts() -> None:
    inner = [{"x": 1.5, "n": BIG}, None, {"x": None, "n": None}]
    outer = pa.array(
        [{"inner": one, "id": row} for row, one in enumerate(inner)], pa.struct({"inner": INNER, "id": pa.int64()})
    )
    frame = to_pandas_result(pa.record_batch([outer], ["prediction"]))
    assert frame["0"].tolist() == inner
    assert frame["1"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.list_(pa.int64()), [[BIG, None], None, []]),
        (pa.list_(pa.list_(pa.int64())), [[[BIG], [None]], [None], None]),
        (pa.list_(INNER), [[{"x": 0.5, "n": BIG}, None], None, []]),
    ],
)
def test_integers_and_structs_in_lists_are_exact_beside_null(kind: pa.DataType, values: list[Any]) -> None:
    assert to_pandas_result(pa.record_batch([pa.array(values, kind)], ["prediction"]))["0"].tolist() == values


def test_times_in_structs_and_lists_have_no_zone_as_those_at_the_top() -> None:
    noon = datetime(2013, 6, 30, 12)  # noqa: DTZ001  the session's
    deep = pa.struct([("times", pa.list_(UTC)), ("inner", pa.struct([("t", UTC)]))])
    column = pa.array([{"times": [noon], "inner": {"t": noon}}], deep)
    frame = to_pandas_result(pa.record_batch([column], ["prediction"]))
    assert [pd.Timestamp(one) for one in frame["0"][0]] == [pd.Timestamp(noon)]
    assert frame["1"].tolist() == [{"t": noon}]
