"""Realised performance as Prometheus reads it, and in tables for people."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from sparkscore.monitor.performance_formatting import performance_table, slice_table
from sparkscore.monitor.performance_metrics import performance_metrics_text, write_performance_metrics
from sparkscore.records import EvaluatedWindow, EvaluationReport, LabelCounts
from tests.monitor.realised import ROWS

AT = datetime(2014, 1, 31, tzinfo=UTC)


def values(text: str) -> dict[tuple[str, ...], float]:
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {
        (one.name, *(one.labels[name] for name in sorted(one.labels) if name != "scoring_job")): one.value
        for one in samples
    }


def shown(table: object) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(table)
    return console.export_text()


def test_the_newest_window_is_told_with_its_intervals_and_its_decay() -> None:
    found = values(performance_metrics_text("flight-delay", [ROWS[2]], at=AT))
    measure = ROWS[2].quality.measures["roc_auc"]
    assert found["sparkscore_performance", "roc_auc"] == measure.value
    assert found["sparkscore_performance_low", "roc_auc"] == measure.low
    assert found["sparkscore_performance_decay_ratio", "validation", "roc_auc"] == 0.0588
    assert found["sparkscore_performance_broken_limits",] == 1
    assert found["sparkscore_performance_labelled_ratio",] == 0.8


def test_the_file_is_beside_that_of_runs_and_is_replaced(tmp_path: Path) -> None:
    for row in ROWS[1:3]:
        path = write_performance_metrics("flight-delay", tmp_path, [row], at=AT)
    assert [file.name for file in tmp_path.iterdir()] == ["flight-delay.performance.prom"]
    assert values(path.read_text())["sparkscore_performance_broken_limits",] == 1


def test_people_see_windows_and_what_became_of_the_truths() -> None:
    window = EvaluatedWindow(
        "2013-12-02T00:00:00Z", "2013-12-09T00:00:00Z", "7d", "m", "3", 500, 400, {"roc_auc": 0.75}, (), (), (), "", 1
    )
    report = EvaluationReport(
        "j", "evaluated", windows=(window,), labels=LabelCounts(rows=900, unmatched=500), failed=("too bad",)
    )
    text = shown(performance_table(report))
    for part in (
        "2013-12-02 7d",
        "80.0%",
        "0.750",
        "900 truths read",
        "500 for what was never scored",
        "broken: too bad",
    ):
        assert part in text


def test_people_see_segments_with_the_interval_of_the_first_metric() -> None:
    text = shown(slice_table(ROWS[2:]))
    assert "carrier" in text
    assert "ROC AUC" in text
    assert " to " in text
