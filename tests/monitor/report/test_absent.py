"""Pages of runs of which little is known."""

from dataclasses import replace
from math import inf, nan

import pytest

from sparkscore.errors import ErrorSummary
from sparkscore.monitor.report.page import run_page
from sparkscore.records import RunPage
from tests.monitor.report.pages import FULL, NOTHING, drift, profile, report, words


def test_a_run_of_which_nothing_is_known_says_so_in_every_section() -> None:
    said = words(run_page(NOTHING))
    for part in (
        "Source –",
        "No gate judged this run.",
        "No predictions were profiled.",
        "Nothing was compared",
        "No run of this job has scored rows yet.",
        "No row was rejected.",
        "How long the run took is not known.",
    ):
        assert part in said


def test_the_first_run_has_nothing_to_compare_with() -> None:
    said = words(run_page(replace(FULL, previous_profiles=())))
    assert "There is no earlier run to compare with." in said
    assert "On average 0.4; half" in said


def test_a_failed_run_tells_its_error_and_whether_a_retry_helps() -> None:
    error = ErrorSummary("RegistryUnreachable", "no answer\n  do: retry", retryable=True)
    said = words(run_page(report(status="failed", exit_code=75, error=error)))
    for part in ("✕ Failed", "exit code 75 after 3.6 s", "RegistryUnreachable no answer do: retry A retry may help."):
        assert part in said


def test_an_error_that_stays_says_so() -> None:
    said = words(run_page(report(status="failed", exit_code=3, error=ErrorSummary("GateFailed", "", retryable=False))))
    assert "A retry will not help" in said


def test_rejects_without_reasons_are_counted() -> None:
    assert "9 rows rejected; the reasons are not known." in words(run_page(replace(FULL, rejects=())))


@pytest.mark.parametrize(
    "page",
    [
        replace(FULL, profiles=(profile((0.5,)),), previous_profiles=(profile((0.5,)),)),
        replace(FULL, profiles=(profile((0.5, 0.5)),), previous_profiles=()),
    ],
    ids=["one row", "a constant"],
)
def test_predictions_that_are_all_alike_are_told_in_words(page: RunPage) -> None:
    assert "All of them are 0.5." in words(run_page(page))


def test_predictions_without_values_are_counted() -> None:
    gone = profile((0.0,), nulls=10, points=(), weights=(), mean=None, min=None, max=None)
    assert "0 predictions, 10 without a value (100%)." in words(run_page(replace(FULL, profiles=(gone,))))


def test_numbers_that_are_none_do_not_stop_a_page() -> None:
    odd = profile((-inf, 0.1, inf), mean=nan, min=-inf, max=inf)
    assert "<h1>" in run_page(replace(FULL, profiles=(odd,), previous_profiles=(odd,), drifts=(drift("temp", nan),)))


def test_a_column_without_a_distance_comes_last() -> None:
    said = words(run_page(replace(FULL, drifts=(drift("month", None), drift("hour", 0.0)))))
    assert "hour 0.00 month no PSI" in said
    assert "No column differs more" in said


def test_a_run_shorter_than_a_tick_has_a_page() -> None:
    assert "<h1>" in run_page(report(seconds={"total": 0.0}, rows_scored=0, rows_read=0))
