"""Metrics of a stream for Prometheus, in a file of their own beside that of the job's last run."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sparkscore.errors import escape_lone_surrogates
from sparkscore.monitor.metrics_file import replace_metrics_file
from sparkscore.records import StreamReport

_FILE_MARK = "~stream"
"""No job's name can have it, so that no other job's file has this name."""


def write_stream_metrics(
    report: StreamReport, folder: str | Path, *, at: datetime, batch_seconds: float | None, is_running: bool
) -> Path:
    """Replace `<folder>/<job>~stream.prom`, or create it.

    Raises:  OSError when the folder cannot be written to.
    """
    path = Path(folder) / f"{report.job}{_FILE_MARK}.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_metrics_file(path, stream_metrics_text(report, at=at, batch_seconds=batch_seconds, is_running=is_running))
    return path


def stream_metrics_text(report: StreamReport, *, at: datetime, batch_seconds: float | None, is_running: bool) -> str:
    """The stream in Prometheus' text format, without unknown values."""
    registry = CollectorRegistry()
    registry.register(_StreamCollector(report, at, batch_seconds, is_running))
    return generate_latest(registry).decode()


class _StreamCollector(Collector):
    def __init__(self, report: StreamReport, at: datetime, batch_seconds: float | None, is_running: bool) -> None:
        self._report, self._at, self._batch_seconds, self._is_running = report, at, batch_seconds, is_running

    def collect(self) -> Iterator[Metric]:
        report = self._report
        as_of = None if report.last_as_of is None else datetime.fromisoformat(report.last_as_of).timestamp()
        values: dict[str, tuple[str, float | None]] = {
            "running": ("1 while the stream runs.", float(self._is_running)),
            "measured_timestamp_seconds": ("When the stream last told of itself.", self._at.timestamp()),
            "lag_seconds": (
                "How long the oldest version of the source has been there that is not published.",
                report.lag_seconds,
            ),
            "lag_versions": ("Versions, or records of a topic, that are not published.", report.lag_behind),
            "rows_per_second": ("Rows scored per second of work on micro-batches.", report.rows_per_second),
            "batches": ("Micro-batches that were published since the stream started.", report.batches),
            "batches_quarantined": ("Micro-batches that a gate refused since then.", report.batches_quarantined),
            "rows_scored": ("Rows with a prediction since then.", report.rows_scored),
            "rows_rejected": ("Rows that could not be scored since then.", report.rows_rejected),
            "model_loads": ("Times that a process loaded a model since then.", report.model_loads),
            "batch_duration_seconds": ("Duration of the last micro-batch.", self._batch_seconds),
            "last_as_of_timestamp_seconds": ("The as_of of the last micro-batch.", as_of),
        }
        for name, (text, value) in values.items():
            if value is not None:
                family = GaugeMetricFamily(f"sparkscore_stream_{name}", text, labels=["scoring_job"])
                family.add_metric([escape_lone_surrogates(report.job)], value)
                yield family
