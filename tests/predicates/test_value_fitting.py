"""Values of a config, fitted to a column's type."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.value_fitting import fit_filter_value

UTC_TIME = pa.timestamp("us", tz="UTC")
LOCAL_TIME = pa.timestamp("us")


@pytest.mark.parametrize(
    ("value", "kind", "literal"),
    [
        (True, pa.bool_(), True),
        (10, pa.int32(), 10),
        (10.0, pa.int64(), 10),
        (-128, pa.int8(), -128),
        (2**63 - 1, pa.int64(), 2**63 - 1),
        (0.5, pa.float64(), 0.5),
        (3, pa.float64(), 3.0),
        (0.1, pa.float32(), 0.10000000149011612),
        (0.1, pa.decimal128(10, 2), Decimal("0.10")),
        ("12.34", pa.decimal128(10, 2), Decimal("12.34")),
        (7, pa.decimal128(10, 2), Decimal("7.00")),
        ("AA", pa.string(), "AA"),
        ("", pa.string(), ""),
        ("2013-02-28", pa.date32(), "2013-02-28"),
        (date(2013, 2, 28), pa.date32(), "2013-02-28"),
        ("2013-12-31", UTC_TIME, "2013-12-31T00:00:00+00:00"),
        ("2013-12-31T10:00", UTC_TIME, "2013-12-31T10:00:00+00:00"),
        ("2013-12-31 10:00:00.000001Z", UTC_TIME, "2013-12-31T10:00:00.000001+00:00"),
        ("2013-12-31T10:00:00+02:00", UTC_TIME, "2013-12-31T08:00:00+00:00"),
        (date(2013, 12, 31), UTC_TIME, "2013-12-31T00:00:00+00:00"),
        (datetime.fromisoformat("2013-12-31T01:00:00"), UTC_TIME, "2013-12-31T01:00:00+00:00"),
        (datetime(2013, 12, 31, 1, tzinfo=timezone(timedelta(hours=1))), UTC_TIME, "2013-12-31T00:00:00+00:00"),
        ("2013-12-31T10:00:00", LOCAL_TIME, "2013-12-31T10:00:00"),
    ],
)
def test_a_value_that_fits_becomes_an_exact_literal(value: object, kind: pa.DataType, literal: object) -> None:
    found = fit_filter_value(value, kind)
    assert found == literal
    assert type(found) is type(literal)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("10", pa.int32(), "whole number"),
        (10.5, pa.int32(), "whole number"),
        (True, pa.int32(), "whole number"),
        (2**31, pa.int32(), "whole number"),
        (2**80, pa.int64(), "whole number"),
        (1e300, pa.int64(), "whole number"),
        (float("nan"), pa.int64(), "whole number"),
        (date(2013, 1, 1), pa.int64(), "whole number"),
        (1, pa.bool_(), "true or false"),
        ("true", pa.bool_(), "true or false"),
        ("0.5", pa.float64(), "finite number"),
        (False, pa.float64(), "finite number"),
        (2**53 + 1, pa.float64(), "finite number"),
        (10**400, pa.float64(), "finite number"),
        (16_777_217, pa.float32(), "finite number"),
        (1e300, pa.float32(), "finite number"),
        (float("inf"), pa.float64(), "finite number"),
        (float("nan"), pa.float64(), "finite number"),
        (0.123, pa.decimal128(10, 2), "decimal number"),
        ("x", pa.decimal128(10, 2), "decimal number"),
        (1e20, pa.decimal128(10, 2), "decimal number"),
        (float("nan"), pa.decimal128(10, 2), "decimal number"),
        (True, pa.decimal128(10, 2), "decimal number"),
        (9, pa.string(), "text"),
        (date(2013, 1, 1), pa.string(), "text"),
        ("2013-02-30", pa.date32(), "YYYY-MM-DD"),
        ("20130228", pa.date32(), "YYYY-MM-DD"),
        ("yesterday", pa.date32(), "YYYY-MM-DD"),
        ("2013-02-28T00:00:00", pa.date32(), "YYYY-MM-DD"),
        (datetime(2013, 2, 28, tzinfo=UTC), pa.date32(), "YYYY-MM-DD"),
        (20130228, pa.date32(), "YYYY-MM-DD"),
        ("2013-13-01", UTC_TIME, "YYYY-MM-DDTHH:MM:SS"),
        ("2013-W01", UTC_TIME, "YYYY-MM-DDTHH:MM:SS"),
        ("2013-12-31T10:00:00.1234567", UTC_TIME, "YYYY-MM-DDTHH:MM:SS"),
        ("now()", UTC_TIME, "YYYY-MM-DDTHH:MM:SS"),
        (1388448000, UTC_TIME, "YYYY-MM-DDTHH:MM:SS"),
        ("2013-12-31T10:00:00Z", LOCAL_TIME, "without a zone"),
        (datetime(2013, 12, 31, tzinfo=UTC), LOCAL_TIME, "without a zone"),
        ("x", LOCAL_TIME, "without a zone"),
        (b"x", pa.binary(), "is null"),
        ([1], pa.list_(pa.int32()), "is null"),
        (1, pa.null(), "is null"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(value: object, kind: pa.DataType, expected: str) -> None:
    with pytest.raises(UnfitValue, match=expected):
        fit_filter_value(value, kind)


@given(st.integers() | st.floats() | st.booleans() | st.text() | st.dates() | st.datetimes() | st.none(), st.data())
def test_whatever_is_taken_for_a_whole_number_is_equal_to_it(value: Any, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.int64()]))
    try:
        found = fit_filter_value(value, kind)
    except UnfitValue:
        return
    assert found == value
    assert pa.scalar(found, kind).as_py() == value
