"""What follows an evaluation: alerts, the page of the job, the file for Prometheus, the model's page in MLflow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sparkscore.model.registry.mlflow_client import call_mlflow_in_time
from sparkscore.model.registry.validation_metrics import load_validation_metrics
from sparkscore.monitor.alerts import Alert
from sparkscore.monitor.mlflow_performance import log_performance
from sparkscore.monitor.performance_metrics import write_performance_metrics
from sparkscore.monitor.webhook import send_alerts
from sparkscore.pipelines.evaluation.evaluation_run import EvaluationRun, describe_window
from sparkscore.pipelines.evaluation.performance_judging import ModelVersion, Validation
from sparkscore.pipelines.report import write_job_report
from sparkscore.records import PerformanceRow, to_utc_text

_MLFLOW_S = 30.0
_MOST_MODELS = 100
"""Of which MLflow is asked and told: with a model per group there are thousands, and each is several requests."""


def load_validations(run: EvaluationRun, models: Sequence[ModelVersion]) -> Validation:
    """The validation metrics of model versions; none, with a warning, where the registry does not tell.

    Jobs:    none.
    """
    found: dict[ModelVersion, dict[str, float]] = {}
    names, uri = run.settings.performance.validation, run.settings.tracking_uri
    if len(models) > _MOST_MODELS:
        run.warn(f"validation metrics of {len(models):,} model versions are not read: more than {_MOST_MODELS}")
    with run.optional_phase("validation metrics"):
        for name, version in models if len(models) <= _MOST_MODELS else ():
            call = partial(load_validation_metrics, name, version, tracking_uri=uri, names=names)
            found[name, version] = dict(call_mlflow_in_time(call, seconds=_MLFLOW_S))
    return found


def tell_about_performance(
    run: EvaluationRun, new: Sequence[PerformanceRow], deciding: Sequence[PerformanceRow]
) -> None:
    """Tell everybody whom the config names. Nothing of it changes the exit code.

    Needs:   rows that are stored: `new` ones of this evaluation, and the `deciding` ones.
    Jobs:    none, or small ones where only Spark reaches the job's tables.
    """
    settings = run.settings
    _send_performance_alerts(run, [row for row in deciding if row in new])
    if settings.monitor.report:
        with run.optional_phase("report"):
            path = write_job_report(run.spark, settings)
            run.report = replace(run.report, report=path)
    if settings.monitor.metrics is not None and deciding:
        with run.optional_phase("metrics"):
            write_performance_metrics(settings.job, settings.monitor.metrics, deciding, at=datetime.now(UTC))
    whole = [row for row in new if row.is_whole and row.quality.count]
    is_few = len({(row.model_name, row.model_version) for row in whole}) <= _MOST_MODELS
    if settings.monitor.mlflow and settings.performance.log_to_model and whole and is_few:
        with run.optional_phase("mlflow"):
            call = partial(log_performance, whole, tracking_uri=settings.tracking_uri)
            call_mlflow_in_time(call, seconds=_MLFLOW_S)


def _send_performance_alerts(run: EvaluationRun, rows: Sequence[PerformanceRow]) -> None:
    texts = [(row, text) for row in rows for text in dict.fromkeys((*row.breaches, *row.alerts))]
    for row, text in texts:
        run.warn(f"performance of {describe_window(row)}: {text}")
    webhook = run.settings.monitor.webhook
    if webhook is None:
        return
    alerts = [
        Alert("performance", run.settings.job, to_utc_text(row.start), None, f"{text} ({describe_window(row)})")
        for row, text in texts
    ]
    sending = send_alerts(alerts, webhook.get_secret_value())
    if sending is not None and (problem := sending.wait_for_result().problem) is not None:
        run.warn(f"alerts not sent: {problem}")
