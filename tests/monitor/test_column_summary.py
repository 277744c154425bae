"""Summaries of columns: exact where they can be, within their bounds elsewhere, and equal however they are cut."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.monitor.column_summary import ColumnSummary, merge_summaries, summarise_column

SIZE = 64


def quantile(one: ColumnSummary, level: float) -> float:
    below = np.cumsum(one.weights)
    return one.points[int(np.searchsorted(below, level * below[-1]))]


def test_null_and_nan_are_told_apart() -> None:
    found = summarise_column(pa.array([1.0, None, math.nan, 3.0, None]), size=SIZE)
    assert (found.count, found.nulls, found.nans, found.values) == (5, 2, 1, 2)
    assert (found.min, found.max, found.mean) == (1.0, 3.0, 2.0)


def test_few_values_are_kept_exactly() -> None:
    found = summarise_column(pa.array([5, 1, 5, 5, 2]), size=SIZE)
    assert (found.points, found.weights) == ((1.0, 2.0, 5.0), (1.0, 1.0, 3.0))
    assert found.distinct == 3


def test_many_values_are_within_their_rank() -> None:
    values = np.random.default_rng(3).lognormal(0, 2, 50_000)
    found = summarise_column(pa.array(values), size=SIZE)
    ordered = np.sort(values)
    for level in (0.01, 0.25, 0.5, 0.9, 0.99):
        rank = np.searchsorted(ordered, quantile(found, level)) / len(values)
        assert abs(rank - level) <= 1 / SIZE
    assert sum(found.weights) == pytest.approx(len(values))
    assert (found.min, found.max) == (ordered[0], ordered[-1])


def test_distinct_values_are_estimated_within_their_bound() -> None:
    found = summarise_column(pa.array(np.random.default_rng(4).normal(size=40_000)), size=256)
    assert found.distinct == pytest.approx(40_000, rel=0.2)  # three times 1 / sqrt(256)


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=200),
    st.integers(1, 5),
)
def test_parts_merge_to_the_whole(values: list[float | None], parts: int) -> None:
    whole = summarise_column(pa.array(values, pa.float64()), size=256)
    cut = [pa.array(list(one), pa.float64()) for one in np.array_split(np.array(values, object), parts)]
    together = merge_summaries([summarise_column(one, size=256) for one in cut])
    assert (together.count, together.nulls, together.nans) == (whole.count, whole.nulls, whole.nans)
    assert (together.points, together.weights, together.hashes) == (whole.points, whole.weights, whole.hashes)
    assert (together.min, together.max) == (whole.min, whole.max)
    assert together.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert together.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-3)


def test_many_parts_of_many_values_stay_within_their_rank() -> None:
    values = np.random.default_rng(5).normal(size=60_000)
    together = merge_summaries([summarise_column(pa.array(one), size=SIZE) for one in np.array_split(values, 30)])
    ordered = np.sort(values)
    for level in (0.05, 0.5, 0.95):
        rank = np.searchsorted(ordered, quantile(together, level)) / len(values)
        assert abs(rank - level) <= 1 / SIZE
    assert len(together.points) <= SIZE


def test_texts_are_counted() -> None:
    found = summarise_column(pa.array(["AA", "UA", "AA", None]), size=SIZE)
    assert found.top == (("AA", 2), ("UA", 1))
    assert (found.distinct, found.nulls, found.min) == (2, 1, None)
    again = merge_summaries([found, summarise_column(pa.array(["UA", "UA", "B6"]), size=SIZE)])
    assert again.top == (("UA", 3), ("AA", 2), ("B6", 1))


@pytest.mark.parametrize(
    ("values", "least"),
    [
        (pa.array([True, False]), None),
        (pa.array([Decimal("1.5"), Decimal("2.5")]), 1.5),
        (pa.array([date(1970, 1, 3), date(1970, 1, 5)]), 2.0),
        (pa.array([datetime(1970, 1, 1, 0, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")), 60.0),
        (pa.array([1, 2], pa.int8()), 1.0),
        (pa.array(["a", "b"]).dictionary_encode(), None),
    ],
)
def test_types_are_numbers_or_texts(values: pa.Array, least: float | None) -> None:
    found = summarise_column(values, size=SIZE)
    assert found.min == least
    assert found.values == len(values)
    assert bool(found.top) == (least is None)


def test_what_is_neither_is_counted_alone() -> None:
    found = summarise_column(pa.array([[1.0], None]), size=SIZE)
    assert (found.count, found.nulls, found.points, found.top, found.distinct) == (2, 1, (), (), None)


@pytest.mark.parametrize("values", [[], [None, None], [math.nan]])
def test_no_values_are_no_numbers(values: list[float | None]) -> None:
    found = summarise_column(pa.array(values, pa.float64()), size=SIZE)
    assert (found.values, found.min, found.points, found.distinct) == (0, None, (), 0)
    assert merge_summaries([found, found]).count == 2 * len(values)


def test_infinite_values_are_ends_and_no_part_of_the_mean() -> None:
    found = summarise_column(pa.array([1.0, math.inf, 3.0, -math.inf]), size=SIZE)
    assert (found.min, found.max, found.mean) == (-math.inf, math.inf, 2.0)


def test_minus_zero_is_zero() -> None:
    assert summarise_column(pa.array([0.0, -0.0]), size=SIZE).distinct == 1
