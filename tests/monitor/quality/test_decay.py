"""When performance is too bad, and which windows there are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sparkscore.model.registry.validation_metrics import select_validation_metrics
from sparkscore.monitor.quality.decay import PerformanceLimits, find_best_values, find_broken_limits, find_decays
from sparkscore.monitor.quality.evaluation_windows import EvaluationWindow, select_windows
from sparkscore.records import Measure, PerformanceRow, Quality
from sparkscore.settings.performance_settings import MetricLimit
from tests.monitor.realised import ROWS


def row_with(**measures: Measure) -> PerformanceRow:
    return replace(ROWS[1], quality=Quality(400, measures), decays=())


def test_the_loss_is_a_share_of_the_reference_whichever_way_is_worse() -> None:
    row = row_with(roc_auc=Measure(0.72), log_loss=Measure(0.55))
    found = {one.metric: one.loss for one in find_decays(row, validation={"roc_auc": 0.8, "log_loss": 0.5}, best={})}
    assert found == pytest.approx({"roc_auc": 0.1, "log_loss": 0.1})


def test_a_decay_within_the_confidence_interval_is_none() -> None:
    limits = PerformanceLimits(decay={"roc_auc": 0.05})
    for measure, is_broken in ((Measure(0.7, 0.6, 0.81), False), (Measure(0.7, 0.65, 0.75), True)):
        row = row_with(roc_auc=measure)
        judged = replace(row, decays=find_decays(row, validation={}, best={"roc_auc": 0.8}))
        assert bool(find_broken_limits(judged, limits)) == is_broken


def test_a_value_beyond_its_limit_is_told_and_one_without_a_value_is_not() -> None:
    row = row_with(roc_auc=Measure(None), log_loss=Measure(0.9))
    limits = [MetricLimit("roc_auc", 0.9, None), MetricLimit("log_loss", None, 0.5)]
    assert find_broken_limits(row, PerformanceLimits(limits)) == ("log loss is 0.9; the greatest is 0.5",)


def test_the_best_window_has_rows_enough() -> None:
    few = replace(row_with(rmse=Measure(1.0)), quality=Quality(5, {"rmse": Measure(1.0)}))
    assert find_best_values([few, row_with(rmse=Measure(3.0)), row_with(rmse=Measure(2.0))], min_rows=100) == {
        "rmse": 2.0
    }


def test_validation_metrics_have_usual_names_or_those_of_the_config() -> None:
    logged = {"val_auc": 0.8, "auc": 0.9, "my_loss": 0.3, "epochs": 7}
    assert select_validation_metrics(logged, {}) == {"roc_auc": 0.8}
    assert select_validation_metrics(logged, {"roc_auc": "auc", "log_loss": "my_loss"}) == {
        "roc_auc": 0.9,
        "log_loss": 0.3,
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_windows_begin_at_midnight_and_on_mondays() -> None:
    sunday = moment("2013-10-27T01:30")
    week = EvaluationWindow.of(sunday, timedelta(days=7), "7d")
    assert (week.start, week.end) == (moment("2013-10-21"), moment("2013-10-28"))
    day = EvaluationWindow.of(sunday, timedelta(days=1), "1d")
    assert (day.start, day.end) == (moment("2013-10-27"), moment("2013-10-28"))
    assert EvaluationWindow.of(sunday, None, "run") == EvaluationWindow(sunday, sunday, "run")
    assert EvaluationWindow.of(moment("1960-01-01"), timedelta(days=1), "1d").start == moment("1960-01-01")


def test_a_range_takes_whole_windows() -> None:
    as_ofs = [moment(f"2013-12-{day:02}") for day in range(1, 20)]
    found = select_windows(
        as_ofs, size=timedelta(days=7), granularity="7d", first=moment("2013-12-04"), last=moment("2013-12-09")
    )
    assert [(window.start.day, len(own)) for window, own in found.items()] == [(2, 7), (9, 7)]
