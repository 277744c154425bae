"""Logs realised performance on the pages of the model in MLflow: in the run that trained the version."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sparkscore.model.registry.validation_metrics import find_logged_model_id
from sparkscore.records import PerformanceRow

METRIC_PREFIX = "realised/"
"""Of the names in MLflow: apart from what training has logged."""
_HOUR_S = 3600


def log_performance(rows: Sequence[PerformanceRow], *, tracking_uri: str | None) -> int:
    """Log the metrics of windows to the runs of their model versions; the number of windows that were logged.

    A point's step is the start of its window in hours since 1970, its time the window's end. The newest window also
    stands on the page of the logged model. A version without a run is left out.

    Needs:   rows of whole windows.
    Raises:  MlflowException and what its store raises.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    ordered = sorted(rows, key=lambda row: (row.model_name, row.model_version, row.start))
    logged = 0
    named = [row for row in ordered if ":/" not in row.model_name]  # a registry names it
    for (name, version), own in groupby(named, key=lambda row: (row.model_name, row.model_version)):
        found = client.get_model_version(name, version)
        if found.run_id:
            logged += _log_windows(client, found, list(own))
    return logged


def _log_windows(client: Any, version: Any, rows: Sequence[PerformanceRow]) -> int:
    from mlflow.entities import Metric

    earlier = [Metric(name, value, _end_ms(row), _step(row)) for row in rows[:-1] for name, value in _values(row)]
    for first in range(0, len(earlier), 1000):
        client.log_batch(version.run_id, metrics=earlier[first : first + 1000])
    newest = rows[-1]
    for name, value in _values(newest):
        model_id = find_logged_model_id(version)
        model = {} if model_id is None else {"model_id": model_id}
        client.log_metric(version.run_id, name, value, timestamp=_end_ms(newest), step=_step(newest), **model)
    return len(rows)


def _values(row: PerformanceRow) -> list[tuple[str, float]]:
    share = row.labelled_share
    values = [(name, one.value) for name, one in row.quality.measures.items()]
    return [(METRIC_PREFIX + name, value) for name, value in (*values, ("labelled_share", share)) if value is not None]


def _end_ms(row: PerformanceRow) -> int:
    return round(row.end.timestamp() * 1000)


def _step(row: PerformanceRow) -> int:
    return int(row.start.timestamp() // _HOUR_S)
