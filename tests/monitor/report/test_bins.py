"""Histograms of two runs with the same edges."""

from itertools import pairwise

import pytest

from sparkscore.monitor.report.bins import histogram_bins
from tests.monitor.report.pages import profile


def test_shares_of_each_run_sum_to_one_over_the_same_bins() -> None:
    bins = histogram_bins(profile((0.1, 0.2, 0.7)), profile((0.3, 0.9)))
    assert sum(one.current for one in bins) == pytest.approx(1)
    assert sum(one.previous or 0 for one in bins) == pytest.approx(1)
    assert all(before.high == after.low for before, after in pairwise(bins))


def test_edges_are_round_and_hold_all_values() -> None:
    bins = histogram_bins(profile((0.013, 0.52, 0.987)), None)
    assert (bins[0].low, bins[-1].high) == pytest.approx((0.0, 1.0))
    assert bins[0].high == pytest.approx(0.05)


def test_few_values_are_where_they_are() -> None:
    bins = histogram_bins(profile((0.0, 1.0), distinct=2.0), None)
    assert [one.current for one in bins if one.current] == [0.5, 0.5]


def test_rows_of_a_point_lie_between_it_and_the_one_before() -> None:
    bins = histogram_bins(profile((0.0, 1.0)), None)
    inner = [one.current for one in bins[1:-1]]
    assert min(inner) == pytest.approx(max(inner))


def test_a_far_outlier_falls_into_the_outer_bin() -> None:
    points = (*(float(at) for at in range(1000)), 1e9)
    bins = histogram_bins(profile(points, weights=(10.0,) * 1000 + (1.0,)), None)
    assert bins[-1].high <= 1000
    assert sum(one.current for one in bins) == pytest.approx(1)


def test_one_value_or_none_has_no_histogram() -> None:
    assert histogram_bins(profile((0.5, 0.5)), profile((0.5,))) == ()
    assert histogram_bins(profile((0.5,), points=(), weights=()), profile((0.1, 0.5))) == ()
