from datetime import UTC, datetime

import pyarrow as pa

from sparkscore.scoring.udf_results import to_udf_result

STAMP = pa.timestamp("us", tz="UTC")


def test_nan_is_null_also_in_lists_and_structs() -> None:
    kind = pa.struct([("l", pa.list_(pa.float64())), ("x", pa.float32())])
    column = pa.array([{"l": [1.0, float("nan"), None], "x": float("nan")}, None], kind)
    assert to_udf_result(column, "UTC").to_pylist() == [{"l": [1.0, None, None], "x": None}, None]


def test_times_are_those_of_the_sessions_clock() -> None:
    clock = datetime(2020, 7, 1, 12, tzinfo=UTC)
    column = pa.array([[clock], None], pa.list_(STAMP))
    (first,), second = to_udf_result(column, "America/New_York").to_pylist()
    assert (first, second) == (datetime(2020, 7, 1, 16, tzinfo=UTC), None)
    assert to_udf_result(column, "America/New_York").type == pa.list_(STAMP)
    assert to_udf_result(column, "UTC").to_pylist() == [[clock], None]


def test_times_without_a_zone_stay_so() -> None:
    column = pa.array([datetime(2020, 7, 1, 12)], pa.timestamp("us"))  # noqa: DTZ001 - that is meant
    assert to_udf_result(column, "America/New_York").equals(column)


def test_what_holds_neither_stays_as_it_is() -> None:
    column = pa.array([1, None])
    assert to_udf_result(column, "UTC") is column
