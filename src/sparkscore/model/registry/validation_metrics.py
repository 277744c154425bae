"""What a model version was worth when it was made: metrics that were logged with it. Holds only that I/O."""

from collections.abc import Mapping
from typing import Any

from sparkscore.model.registry.mlflow_client import Registry, call_registry, open_registry

_LOGGED_MODEL = "models:/"
_PREFIXES = ("val_", "validation_", "eval_", "test_", "")
_USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "roc_auc": ("roc_auc", "roc_auc_score", "auc"),
    "pr_auc": ("pr_auc", "average_precision", "average_precision_score", "precision_recall_auc"),
    "log_loss": ("log_loss", "logloss"),
    "brier": ("brier", "brier_score", "brier_score_loss"),
    "ece": ("ece", "expected_calibration_error"),
    "accuracy": ("accuracy", "accuracy_score"),
    "precision": ("precision", "precision_score"),
    "recall": ("recall", "recall_score"),
    "f1": ("f1", "f1_score"),
    "f1_weighted": ("f1_weighted", "f1_score_weighted"),
    "mae": ("mae", "mean_absolute_error"),
    "rmse": ("rmse", "root_mean_squared_error"),
    "mape": ("mape", "mean_absolute_percentage_error"),
    "r2": ("r2", "r2_score"),
    "ndcg": ("ndcg", "ndcg_at_k"),
}
"""Of metrics in MLflow, the usual ones, each with one of the prefixes; what `mlflow.evaluate` logs is among them."""


def load_validation_metrics(
    name: str, version: str, *, tracking_uri: str | None, names: Mapping[str, str]
) -> Mapping[str, float]:
    """The metrics of a model version by their names here: those of the logged model, else those of its run.

    Needs:   `names`, those in MLflow of the metrics that have one of their own.
    Jobs:    none.
    Raises:  ModelNotFound, AccessDenied, RegistryUnreachable.
    """
    registry = open_registry(tracking_uri)
    if ":/" in name:  # no registry names it
        return select_validation_metrics(_load_model_metrics(registry, _to_logged_model_id(name)), names)
    subject = f"{name} version {version}"
    found: Any = call_registry(lambda: registry.client.get_model_version(name, version), subject)
    logged: dict[str, float] = {}
    if found.run_id:
        run: Any = call_registry(lambda: registry.client.get_run(found.run_id), f"the run of {subject}")
        logged |= run.data.metrics
    return select_validation_metrics(logged | _load_model_metrics(registry, find_logged_model_id(found)), names)


def _load_model_metrics(registry: Registry, model_id: str | None) -> dict[str, float]:
    if model_id is None:
        return {}
    model: Any = call_registry(lambda: registry.client.get_logged_model(model_id), f"the logged model {model_id}")
    return {metric.key: metric.value for metric in model.metrics or ()}


def find_logged_model_id(version: Any) -> str | None:
    """MLflow's id of the logged model of a registered version; None for models logged before MLflow 3.

    A version of a model that was logged without a run names it only in its source.
    """
    return getattr(version, "model_id", None) or _to_logged_model_id(str(version.source or ""))


def _to_logged_model_id(uri: str) -> str | None:
    return uri.removeprefix(_LOGGED_MODEL) if uri.startswith(f"{_LOGGED_MODEL}m-") else None


def select_validation_metrics(logged: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Of the metrics of a run those that are known here: by the names that the config gives, else by the usual ones."""
    wanted = {
        metric: (names[metric],) if metric in names else _candidate_names(metric) for metric in {*_USUAL_NAMES, *names}
    }
    found = {
        metric: next((logged[one] for one in choices if one in logged), None) for metric, choices in wanted.items()
    }
    return {metric: value for metric, value in found.items() if value is not None}


def _candidate_names(metric: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for prefix in _PREFIXES for name in _USUAL_NAMES[metric])
