"""Settings of realised performance: what is measured, and when it is bad enough to tell somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from sparkscore.records import METRICS_BY_NAME
from sparkscore.settings.frozen_settings import FrozenSettings

ProblemType = Literal["auto", "binary", "classes", "numbers", "ranking"]
DECAY = "decay"
Limits = dict[str, float | dict[str, float]]
_BOUNDS = {"min", "max"}


@dataclass(frozen=True, slots=True)
class MetricLimit:
    """The least and the greatest value of a metric."""

    metric: str
    least: float | None
    greatest: float | None


def list_metric_limits(limits: Limits) -> tuple[MetricLimit, ...]:
    """The limits of values in `performance.fail` or `performance.alerts`."""
    found = ((name, one) for name, one in limits.items() if name != DECAY and isinstance(one, dict))
    return tuple(MetricLimit(name, one.get("min"), one.get("max")) for name, one in found)


def find_decay_limits(limits: Limits, default_metrics: tuple[str, ...]) -> Mapping[str, float]:
    """By how much of the reference each metric may be worse."""
    decay = limits.get(DECAY)
    if decay is None:
        return {}
    return decay if isinstance(decay, dict) else dict.fromkeys(default_metrics, decay)


def _check_metric_names(names: object, where: str) -> None:
    unknown = [name for name in names if name not in METRICS_BY_NAME] if isinstance(names, list | tuple) else []
    if unknown:
        raise ValueError(f"{where} names {', '.join(unknown)}; the metrics are {', '.join(METRICS_BY_NAME)}")


def _check_limits(limits: Limits, where: str) -> None:
    _check_metric_names([name for name in limits if name != DECAY], where)
    for name, limit in limits.items():
        if name == DECAY:
            decays = limit if isinstance(limit, dict) else {}
            _check_metric_names(list(decays), f"{where}.{DECAY}")
            if any(share <= 0 for share in (decays.values() if isinstance(limit, dict) else [limit])):
                raise ValueError(f"{where}.{DECAY} takes shares above 0: 0.05 is 5 % worse than the reference")
        elif not isinstance(limit, dict) or not limit or not set(limit) <= _BOUNDS:
            raise ValueError(f"{where}.{name} takes a limit: {{min: 0.7}}, {{max: 0.5}}, or both")


class PerformanceSettings(FrozenSettings):
    """What `evaluate` measures of predictions whose truth is known, and what is too bad."""

    problem: ProblemType = Field(
        default="auto",
        description="what is predicted: binary (probability), classes, numbers or ranking (lists); auto: by the types",
    )
    prediction: str = Field(
        default="prediction",
        description="column of the prediction table that is held against the truth; a dotted path for a field of it",
    )
    segments: tuple[str, ...] | None = Field(
        default=None,
        description="columns of keys or passthrough; metrics are also computed for each of their values; default:"
        " profile.segments",
    )
    metrics: tuple[str, ...] = Field(
        default=(),
        description="the metrics that a decay without names is about; default: by what is predicted; all are stored",
    )
    threshold: float | None = Field(
        default=None,
        description="from where on a probability counts as positive; default: output.threshold",
    )
    k: int = Field(default=10, ge=1, le=10_000, description="how many places of a ranked list count")
    min_rows: int = Field(
        default=100, ge=1, description="with fewer rows that have a truth than this, nothing is judged"
    )
    validation: dict[str, str] = Field(
        default_factory=dict,
        description="names of the validation metrics in the MLflow run of the model: {roc_auc: val_auc}; default: the"
        " usual names, such as val_roc_auc",
    )
    fail: Limits = Field(
        default_factory=dict,
        description="what ends evaluate with exit code 5: {roc_auc: {min: 0.7}, decay: 0.05}; decay is the share by"
        " which a metric may be worse than in validation and than in the best window of the model version",
    )
    alerts: Limits = Field(
        default_factory=dict,
        description="the same, for what is told to monitor.webhook and changes no exit code",
    )
    log_to_model: bool = Field(
        default=True, description="log the metrics to the MLflow run of the model version, where monitor.mlflow is on"
    )

    @field_validator("fail")
    @classmethod
    def _check_fail(cls, limits: Limits) -> Limits:
        _check_limits(limits, "performance.fail")
        return limits

    @field_validator("alerts")
    @classmethod
    def _check_alerts(cls, limits: Limits) -> Limits:
        _check_limits(limits, "performance.alerts")
        return limits

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        _check_metric_names(metrics, "performance.metrics")
        return metrics

    @field_validator("validation")
    @classmethod
    def _check_validation(cls, names: dict[str, str]) -> dict[str, str]:
        _check_metric_names(list(names), "performance.validation")
        return names
