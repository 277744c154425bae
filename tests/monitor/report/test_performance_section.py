"""The performance section on the page of a job."""

from dataclasses import replace

from sparkscore.monitor.report.page import job_page
from sparkscore.records import Quality
from tests.monitor.realised import ROWS


def test_it_shows_curves_by_version_windows_and_segments_and_escapes_their_values() -> None:
    html = job_page("flight-delay", [], ROWS)
    for part in (
        "Realised performance",
        "ROC AUC by window and model version",
        "Calibration in the window of",
        ">v2<",
        ">v3<",
    ):
        assert part in html
    assert "ROC AUC is 0.6 and was 0.8 in validation" in html
    assert "&lt;b&gt;AA&lt;/b&gt;" in html
    assert "<b>AA</b>" not in html


def test_without_truths_it_says_so_and_without_labels_it_is_not_there() -> None:
    assert "No truth of any prediction is known yet" in job_page("flight-delay", [], [])
    assert "Realised performance" not in job_page("flight-delay", [])


def test_a_window_without_any_truth_is_in_the_table_alone() -> None:
    empty = replace(ROWS[2], quality=Quality(0, {}))
    html = job_page("flight-delay", [], [ROWS[1], empty])
    assert "2 windows" in html
