"""Distances, checked against scipy on the raw data."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from sparkscore.monitor import distances

Floats = npt.NDArray[np.float64]

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


def sample(shift: float = 0.0, *, rows: int = 5_000, seed: int = 1) -> Floats:
    return np.sort(np.random.default_rng(seed).normal(shift, 1.0, rows))


def ones(values: Floats) -> Floats:
    return np.ones(len(values))


@given(
    counts.flatmap(
        lambda one: st.tuples(st.just(one), st.lists(st.integers(0, 10_000), min_size=len(one), max_size=len(one)))
    )
)
def test_jensen_shannon_is_scipys(pair: tuple[list[int], list[int]]) -> None:
    now, before = pair
    found = distances.jensen_shannon(now, before)
    if not sum(now) or not sum(before):
        assert found is None
    else:
        assert found == pytest.approx(float(jensenshannon(now, before, base=2)), abs=1e-6)


@given(
    counts.flatmap(
        lambda one: st.tuples(st.just(one), st.lists(st.integers(0, 10_000), min_size=len(one), max_size=len(one)))
    )
)
def test_cramers_v_is_of_scipys_chi_squared(pair: tuple[list[int], list[int]]) -> None:
    now, before = pair
    table = np.array([now, before])
    table = table[:, table.sum(axis=0) > 0]
    found = distances.cramers_v(now, before)
    if not table.sum(axis=1).all():
        assert found is None
    elif table.shape[1] == 1:
        assert found == 0
    else:
        expected = float(stats.contingency.association(table, method="cramer", correction=False))
        assert found == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.lists(st.integers(-20, 20), min_size=1, max_size=60))
def test_distances_of_numbers_are_scipys_with_ties_too(now: list[int], before: list[int]) -> None:
    mine, theirs = np.sort(np.array(now, float)), np.sort(np.array(before, float))
    sides = (mine, ones(mine), theirs, ones(theirs))
    at = np.union1d(mine, theirs)
    shares = [stats.ecdf(one).cdf.evaluate(at) for one in (mine, theirs)]
    assert distances.distances_of_points(*sides)[0] == pytest.approx(np.abs(shares[0] - shares[1]).max())
    assert distances.distances_of_points(*sides)[1] == pytest.approx(stats.wasserstein_distance(mine, theirs))


def test_weights_stand_for_repeated_values() -> None:
    repeated = np.array([1.0, 1.0, 1.0, 2.0])
    other = np.array([1.0, 3.0])
    sides = (np.array([1.0, 2.0]), np.array([3.0, 1.0]), other, ones(other))
    assert distances.distances_of_points(*sides)[0] == pytest.approx(stats.ks_2samp(repeated, other).statistic)
    assert distances.distances_of_points(*sides)[1] == pytest.approx(stats.wasserstein_distance(repeated, other))


def test_psi_is_the_symmetric_relative_entropy() -> None:
    now, before = np.array([10.0, 20.0, 70.0]), np.array([30.0, 30.0, 40.0])
    p, q = now / 100, before / 100
    assert distances.psi(now, before) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


def test_an_empty_bin_leaves_psi_finite() -> None:
    found = distances.psi([0, 100], [50, 50])
    assert found is not None
    assert math.isfinite(found)
    assert found > 1


@pytest.mark.parametrize("measure", [distances.psi, distances.jensen_shannon, distances.cramers_v])
def test_equal_shares_have_no_distance_however_many_rows(measure: distances.Numbers) -> None:
    assert measure([1, 2, 3], [100, 200, 300]) == pytest.approx(0, abs=1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("measure", [distances.psi, distances.jensen_shannon, distances.cramers_v])
def test_no_rows_have_no_distance(measure: distances.Numbers) -> None:
    assert measure([0, 0], [1, 2]) is None  # type: ignore[operator]


def test_no_values_have_no_distance() -> None:
    assert distances.distances_of_points([], [], [1.0], [1.0])[0] is None
    assert distances.distances_of_points([1.0], [1.0], [], [])[1] is None


def test_infinite_values_have_no_wasserstein_distance() -> None:
    assert distances.distances_of_points([math.inf], [1.0], [1.0], [1.0])[1] is None


def test_psi_of_what_has_not_moved_is_what_its_docstring_says() -> None:
    rng, bins, rows = np.random.default_rng(7), 10, 2_000
    found = []
    for _ in range(300):
        pair = [np.bincount(rng.integers(0, bins, rows), minlength=bins) for _ in range(2)]
        found.append(distances.psi(pair[0].astype(float), pair[1].astype(float)))
    expected = (bins - 1) * (2 / rows)
    assert np.mean([one for one in found if one is not None]) == pytest.approx(expected, rel=0.1)


def test_kolmogorov_smirnov_is_scipys() -> None:
    mine, theirs = sample(0.3, seed=5), sample(seed=6, rows=3_000)
    found = distances.distances_of_points(mine, ones(mine), theirs, ones(theirs))[0]
    assert found == pytest.approx(stats.ks_2samp(mine, theirs).statistic)


def test_a_shift_is_seen_and_none_is_not() -> None:
    still, moved, before = sample(seed=2), sample(0.5, seed=3), sample(seed=4)
    near = distances.distances_of_points(still, ones(still), before, ones(before))[0]
    far = distances.distances_of_points(moved, ones(moved), before, ones(before))[0]
    assert near is not None
    assert far is not None
    assert near < 0.04
    assert far > 0.15
