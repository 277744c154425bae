"""Metrics of a job for Prometheus: its last run, as gauges in Prometheus' text format.

A collector and Prometheus remember every series for as long as they live: what changes with each run (run_id, as_of)
is a value here or nothing, never a label. The job is the label `scoring_job`: `job` is Prometheus' own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from sparkscore.errors import MONITORING_BREACH, escape_lone_surrogates
from sparkscore.records import RunReport, Verdict

SUCCESS_STATUSES = frozenset({"published", "already_published", "superseded", "nothing_to_score"})
"""After these readers have all the predictions that there are to have."""

LAST_SUCCESS = "sparkscore_last_success_timestamp_seconds"
LAST_SUCCESS_AS_OF = "sparkscore_last_success_as_of_timestamp_seconds"

_COUNT_HELP = {
    "rows_read": "Rows that the last run read from its source.",
    "rows_scored": "Rows with a prediction in the last run.",
    "rows_rejected": "Rows that the last run could not score.",
    "rows_per_second": "Rows scored per second of scoring and staging in the last run.",
    "model_loads": "Times that a process loaded the model in the last run.",
}
_EXECUTOR_GAUGES = {
    "rows": ("rows", "Rows that the workers have predicted, those of tasks tried again among them."),
    "batches": ("batches", "Batches that the workers have predicted."),
    "batch_p50_s": ("batch_p50_seconds", "Median time that the model took for a batch."),
    "batch_p99_s": ("batch_p99_seconds", "Time that the model took at most for 99 of 100 batches."),
    "batch_rows": ("batch_rows", "Rows of a batch that half of the tasks had found to be best, or fewer."),
    "batches_halved": ("batches_halved", "Times that memory ran out, and batches became half as large."),
    "loads": ("loads", "Times that a worker loaded the model."),
    "load_s": ("load_seconds", "Time that all loads of the model took together."),
    "cpu_s": ("cpu_seconds", "CPU time of all workers together."),
    "gpu_s": ("gpu_seconds", "Time that tasks had a GPU, of all GPUs together."),
    "gpu_memory_bytes": ("gpu_memory_bytes", "Greatest memory of one GPU that was in use."),
    "gpu_use": ("gpu_use_ratio", "Greatest share of a second in which one GPU worked, 0 to 1."),
}


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """The last successful run of a job, in seconds since 1970."""

    at: float
    as_of: float | None
    """The newest as_of of all successes: a back-fill does not lower it."""


def metrics_text(
    report: RunReport,
    *,
    at: datetime,
    verdicts: Sequence[Verdict] = (),
    cores: int | None = None,
    earlier: LastSuccess | None = None,
) -> str:
    """The run in Prometheus' text format, without unknown values.

    Needs:   `cores`: slots that the run had, for the share of them in use; `earlier`: the last success before this run.
    """
    registry = CollectorRegistry()
    registry.register(
        _RunCollector(
            [
                *_run_metrics(report, at, earlier),
                *_gate_metrics(report, verdicts),
                *_executor_metrics(report, cores),
            ]
        )
    )
    return generate_latest(registry).decode()


class _RunCollector(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _optional_gauge(report: RunReport, name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield _labelled_gauge(report, name, text, (), {(): value})


def _labelled_gauge(
    report: RunReport, name: str, text: str, label_names: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    family = GaugeMetricFamily(f"sparkscore_{name}", text, labels=["scoring_job", *label_names])
    for labels, value in values.items():
        family.add_metric([escape_lone_surrogates(label) for label in (report.job, *labels)], value)
    return family


def _run_metrics(report: RunReport, at: datetime, earlier: LastSuccess | None) -> Iterator[Metric]:
    parts: dict[tuple[str, ...], float] = {
        (part,): seconds for part, seconds in report.seconds.items() if part != "total"
    }
    values: dict[str, tuple[str, float | None]] = {
        "last_run_timestamp_seconds": ("When the last run ended.", at.timestamp()),
        "run_success": ("1 where predictions are published, whatever drift and SLA say.", _has_succeeded(report)),
        "run_exit_code": ("Exit code of the last run.", report.exit_code),
        "run_duration_seconds": ("Duration of the last run.", report.seconds.get("total")),
        **{name: (text, getattr(report, name)) for name, text in _COUNT_HELP.items()},
        "drifted_columns": ("Columns that have drifted, in all rows or in a segment.", report.drifted),
        "sla_broken_rules": ("Rules of the SLA that the last run broke.", len(report.sla_broken)),
    }
    for name, (text, value) in values.items():
        yield from _optional_gauge(report, name, text, value)
    yield _labelled_gauge(report, "run_part_duration_seconds", "Duration of a part of the last run.", ("part",), parts)
    yield from _success_metrics(report, _last_success(report, at, earlier))
    yield _run_info(report)


def _has_succeeded(report: RunReport) -> bool:
    return report.status in SUCCESS_STATUSES or report.exit_code == MONITORING_BREACH


def _last_success(report: RunReport, at: datetime, earlier: LastSuccess | None) -> LastSuccess | None:
    if not _has_succeeded(report):
        return earlier
    as_of_values = [earlier.as_of] if earlier is not None and earlier.as_of is not None else []
    if report.as_of is not None:
        as_of_values.append(datetime.fromisoformat(report.as_of).timestamp())
    return LastSuccess(at.timestamp(), max(as_of_values, default=None))


def _success_metrics(report: RunReport, last: LastSuccess | None) -> Iterator[Metric]:
    if last is not None:
        for name, text, value in (
            (LAST_SUCCESS, "When the last run that succeeded ended.", last.at),
            (LAST_SUCCESS_AS_OF, "The newest as_of that succeeded.", last.as_of),
        ):
            yield from _optional_gauge(report, name.removeprefix("sparkscore_"), text, value)


def _run_info(report: RunReport) -> Metric:
    model = report.model
    labels = {
        "scoring_job": report.job,
        "model_name": model.name if model else "",
        "model_version": model.version if model else "",
        "transport": report.transport or "",
        "status": report.status,
    }
    family = InfoMetricFamily("sparkscore_run", "What the last run scored with, and how it ended.", labels=list(labels))
    family.add_metric([escape_lone_surrogates(label) for label in labels.values()], {})
    return family


def _gate_metrics(report: RunReport, verdicts: Sequence[Verdict]) -> Iterator[Metric]:
    if verdicts:
        counts: dict[tuple[str, ...], float] = {
            (verdict.gate, severity): sum(not rule.passed and rule.severity == severity for rule in verdict.rules)
            for verdict in verdicts
            for severity in ("critical", "warning", "info")
        }
        text = "Rules of a gate that the data broke; a critical one stops the run."
        yield _labelled_gauge(report, "gate_broken_rules", text, ("gate", "severity"), counts)


def _executor_metrics(report: RunReport, cores: int | None) -> Iterator[Metric]:
    for fact, (name, text) in _EXECUTOR_GAUGES.items():
        yield from _optional_gauge(report, f"executor_{name}", text, report.executors.get(fact))
    used, seconds = report.executors.get("cpu_s"), report.seconds.get("score_and_stage")
    if used is not None and seconds and cores:
        text = "Share of the run's slots that the workers kept busy while scoring."
        yield from _optional_gauge(report, "executor_cpu_ratio", text, used / (cores * seconds))
