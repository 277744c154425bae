"""Realised performance for Prometheus: the newest judged window of a job, as gauges.

As with the metrics of runs, what changes from one evaluation to the next is a value and never a label.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sparkscore.errors import escape_lone_surrogates
from sparkscore.monitor.metrics_file import replace_metrics_file
from sparkscore.records import PerformanceRow

_Values = Mapping[tuple[str, ...], float | None]


class _PerformanceCollector(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def write_performance_metrics(job: str, folder: str | Path, rows: Sequence[PerformanceRow], *, at: datetime) -> Path:
    """Replace `<folder>/<job>.performance.prom`, or create it.

    Needs:   the rows that decide: of one window, whole, one for each model version.
    Raises:  OSError when the folder cannot be written to.
    """
    path = Path(folder) / f"{job}.performance.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_metrics_file(path, performance_metrics_text(job, rows, at=at))
    return path


def performance_metrics_text(job: str, rows: Sequence[PerformanceRow], *, at: datetime) -> str:
    """The window in Prometheus' text format, without unknown values; of the version with most rows that have a truth,
    since two versions in one window are a change of models."""
    row = max(rows, key=lambda one: one.quality.count)
    registry = CollectorRegistry()
    registry.register(_PerformanceCollector(list(_performance_families(job, row, rows, at))))
    return generate_latest(registry).decode()


def _performance_families(
    job: str, row: PerformanceRow, rows: Sequence[PerformanceRow], at: datetime
) -> Iterator[Metric]:
    measures = row.quality.measures
    yield _gauge(job, "last_evaluation_timestamp_seconds", "When the job was evaluated.", {(): at.timestamp()})
    text = "End of the newest window whose performance was judged."
    yield _gauge(job, "performance_window_end_timestamp_seconds", text, {(): row.end.timestamp()})
    yield _gauge(job, "performance_rows", "Rows of that window that have a truth.", {(): row.quality.count})
    yield _gauge(job, "performance_labelled_ratio", "Share of its rows that have a truth.", {(): row.labelled_share})
    text = "Realised performance in that window."
    yield _gauge(job, "performance", text, {(name,): one.value for name, one in measures.items()}, ("metric",))
    for side, meaning in (("low", "Lower"), ("high", "Upper")):
        ends: _Values = {(name,): getattr(one, side) for name, one in measures.items()}
        yield _gauge(job, f"performance_{side}", f"{meaning} end of its confidence interval.", ends, ("metric",))
    losses: _Values = {(one.metric, one.against): one.loss for one in row.decays}
    text = "By which share a metric is worse than in validation, or than in the version's best window."
    yield _gauge(job, "performance_decay_ratio", text, losses, ("metric", "against"))
    broken = sum(len(one.breaches) for one in rows)
    yield _gauge(job, "performance_broken_limits", "Limits of performance.fail that it breaks.", {(): broken})


def _gauge(job: str, name: str, text: str, values: _Values, labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(f"sparkscore_{name}", text, labels=["scoring_job", *labels])
    for own, value in values.items():
        if value is not None:
            family.add_metric([escape_lone_surrogates(label) for label in (job, *own)], value)
    return family
