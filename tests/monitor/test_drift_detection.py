"""Drift of profiles: bins of the reference, verdicts by distance, and what cannot be compared."""

import math
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sparkscore.monitor.column_profiles import build_profiles
from sparkscore.monitor.column_summary import summarise_column
from sparkscore.monitor.drift_detection import bin_profiles, measure_drifts
from sparkscore.monitor.summary_rows import SUMMARY_SIZE
from sparkscore.records import ColumnProfile, Drift
from sparkscore.settings import DriftSettings

LIMITS = DriftSettings()


def profile(values: Any, *, column: str = "x", slice_: tuple[str | None, str | None] = (None, None)) -> ColumnProfile:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    found = {
        (column, slice_): summarise_column(array, size=SUMMARY_SIZE),
        (column, (None, None)): summarise_column(array, size=SUMMARY_SIZE),
    }
    made = build_profiles(found, log_type="input", types={column: str(array.type)})
    return next(one for one in made if (one.slice_key, one.slice_value) == slice_)


def drift(now: Any, before: Any, limits: DriftSettings = LIMITS) -> Drift:
    kind: Literal["BASELINE"] = "BASELINE"
    return measure_drifts([profile(now)], [profile(before)], drift_type=kind, against="before", limits=limits)[0]


def normal(shift: float = 0.0, *, seed: int, rows: int = 20_000) -> Any:
    return np.random.default_rng(seed).normal(shift, 1, rows)


class TestNumbers:
    def test_distances_are_those_of_the_raw_data(self) -> None:
        now, before = normal(0.4, seed=1), normal(seed=2)
        found = drift(now, before)
        assert found.kolmogorov_smirnov == pytest.approx(stats.ks_2samp(now, before).statistic, abs=1 / SUMMARY_SIZE)
        expected = stats.wasserstein_distance(now, before) / before.std()
        assert found.wasserstein == pytest.approx(expected, abs=0.02)
        edges = np.quantile(before, np.arange(1, 10) / 10)
        p, q = (np.bincount(np.searchsorted(edges, one), minlength=10) / len(one) for one in (now, before))
        assert found.psi == pytest.approx(((p - q) * np.log(p / q)).sum(), abs=0.01)  # of 256 points each

    def test_a_known_shift_is_an_alert(self) -> None:
        found = drift(normal(0.8, seed=1), normal(seed=2))
        assert found.drifted
        assert found.note.startswith("psi 0.")
        assert found.note.endswith("above 0.25")

    def test_none_is_no_alert_in_two_hundred_windows(self) -> None:
        reference = normal(seed=0)
        alarms = [drift(normal(seed=seed, rows=1_000), reference).drifted for seed in range(1, 201)]
        assert sum(alarms) == 0

    def test_bins_hold_equal_shares_of_the_reference_and_the_ends_are_their_own(self) -> None:
        found = bin_profiles(profile([-5.0, 20.0, 3.0, None, math.nan]), profile([float(n) for n in range(10)] * 10))
        before = dict(zip(found.names, found.reference, strict=True))
        now = dict(zip(found.names, found.current, strict=True))
        assert now["below 0"] == 1
        assert now["above 9"] == 1
        assert (now["NULL"], now["NaN"]) == (1, 1)
        assert sum(found.current) == 5
        assert {before["below 0"], before["above 9"], before["NULL"]} == {0}
        assert sum(found.reference) == 100

    def test_few_values_are_bins_of_their_own(self) -> None:
        found = drift([0] * 100 + [1] * 900, [0] * 900 + [1] * 100)
        assert (found.bins, found.shares) == (("0", "1"), (0.1, 0.9))
        assert found.drifted

    def test_more_nulls_are_drift(self) -> None:
        values = [float(n) for n in range(100)] * 10
        assert drift([*values[:500], *[None] * 500], values).drifted

    def test_nan_is_not_null(self) -> None:
        values = [float(n) for n in range(100)] * 10
        assert drift([*values, *[math.nan] * 800], [*values, *[None] * 800]).drifted

    def test_a_constant_that_stays_has_not_moved(self) -> None:
        found = drift([3.0] * 1000, [3.0] * 1000)
        assert found.psi == pytest.approx(0, abs=1e-9)
        assert (found.drifted, found.wasserstein) == (False, None)

    def test_a_constant_that_changes_has(self) -> None:
        assert drift([4.0] * 1000, [3.0] * 1000).drifted

    def test_all_null_now_is_drift(self) -> None:
        assert drift(pa.array([None] * 1000, pa.float64()), normal(seed=1)).drifted

    def test_values_where_the_reference_had_none_are_unseen(self) -> None:
        found = drift(normal(seed=1), pa.array([None] * 1000, pa.float64()))
        assert found.drifted
        assert "unseen" in found.bins


class TestText:
    def test_a_new_category_is_unseen(self) -> None:
        found = drift(["AA"] * 500 + ["ZZ"] * 500, ["AA"] * 500 + ["UA"] * 500)
        shares = dict(zip(found.bins, found.shares, strict=True))
        assert shares == {"AA": 0.5, "UA": 0.0, "unseen": 0.5}
        assert found.drifted
        assert found.kolmogorov_smirnov is None

    def test_rare_categories_are_others(self) -> None:
        values = [f"c{n % 40}" for n in range(4000)]
        found = drift(values, values)
        shares = dict(zip(found.bins, found.shares, strict=True))
        assert shares["others"] == pytest.approx(0.5)
        assert not found.drifted

    def test_a_value_that_is_called_null_is_told_from_null(self) -> None:
        found = bin_profiles(profile(["NULL", None]), profile(["NULL", None, None]))
        assert dict(zip(found.names, found.current, strict=True)) == {'"NULL"': 1, "NULL": 1}


class TestVerdicts:
    def test_few_rows_are_compared_and_raise_no_alert(self) -> None:
        found = drift([1.0] * 20, [2.0] * 20)
        assert not found.drifted
        assert "too few" in found.note
        assert found.psi is not None
        assert found.psi > 1

    def test_one_row_is_compared(self) -> None:
        assert drift([1.0], normal(seed=1)).psi is not None

    def test_each_distance_can_have_a_threshold(self) -> None:
        limits = DriftSettings(psi=None, kolmogorov_smirnov=0.05)
        found = drift(normal(0.2, seed=1), normal(seed=2), limits)
        assert found.drifted
        assert found.note.startswith("kolmogorov_smirnov")
        assert not drift(normal(0.2, seed=1), normal(seed=2), DriftSettings(psi=None)).drifted

    def test_no_rows_are_not_compared(self) -> None:
        assert drift(pa.array([], pa.float64()), normal(seed=1)).note == "no rows to compare"

    def test_another_type_is_told(self) -> None:
        assert drift(["a"] * 10, [1.0] * 10).note == "string now, double in the reference"

    def test_a_column_that_the_reference_lacks_is_told(self) -> None:
        other = [profile([1.0], column="y")]
        found = measure_drifts([profile([1.0])], other, drift_type="BASELINE", against="before", limits=LIMITS)
        assert [one.note for one in found] == ["the reference has no such column"]

    def test_a_slice_that_the_reference_has_not_seen_is_left_out(self) -> None:
        now = [profile([1.0] * 600), profile([1.0] * 600, slice_=("carrier", "ZZ"))]
        found = measure_drifts(now, now[:1], drift_type="CONSECUTIVE", against="before", limits=LIMITS)
        assert [(one.slice_key, one.drifted) for one in found] == [(None, False)]
