"""Trains the demo's model, evaluates it on months it has not seen, and registers it, unless this was already done."""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from sklearn.metrics import roc_auc_score

from sparkscore.demo import recipe, registry
from sparkscore.demo.recipe import (
    LAST_TRAINING_MONTH,
    delay_pipeline,
    flight_inputs,
    late_labels,
    training_flights,
    with_outcome,
)
from sparkscore.errors import ModelError

LEAK_AUC = 0.85
"""The inputs give an AUC of 0.69. A model above this limit has seen an outcome."""

_EXAMPLE_ROWS = 5


class LeakSuspected(ModelError):
    """The model is better than its inputs allow."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A registered version, and how well it does on October to December."""

    name: str
    version: str
    auc: float
    base_rate: float
    """Share of late flights among those judged: what a guess has to beat."""
    rows_train: int
    rows_test: int
    seconds: float
    """Time that fitting took, when it was done."""
    reused: bool
    """Whether an earlier training of the same rows by the same recipe was found."""


def train_champion(
    flights: pd.DataFrame, *, tracking_uri: str, artifact_root: str, trained_on: DeltaDatasetSource | None = None
) -> TrainedModel:
    """The champion `flight-delay` for these flights, trained and registered unless it already exists.

    Needs:   the columns of `recipe.INPUTS`, month, arr_delay. Flights without arr_delay are left out. `trained_on`: the
             table of the flights that it learns from, so that what it scores later can be compared with them.
    Jobs:    none.
    Runs on: driver.
    Raises:  LeakSuspected before anything is registered.
    """
    known = with_outcome(flights)
    mark = recipe.recipe_fingerprint(known)
    with _redirect_mlflow_output():
        client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        there = registry.find_champion(client)
        if there is not None and there.tags.get(registry.FINGERPRINT_TAG) == mark:
            return _trained_model(str(there.version), registry.load_training_metrics(client, there), reused=True)
        candidate = fit_candidate(known, fingerprint=mark)
        version = registry.register_candidate(client, candidate, artifact_root=artifact_root, trained_on=trained_on)
        return _trained_model(version, candidate.metrics, reused=False)


def judged_flights(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that the model is judged on: it has not learned from them.

    Needs:   month.
    """
    return flights[flights["month"] > LAST_TRAINING_MONTH]


def fit_candidate(known: pd.DataFrame, *, fingerprint: str) -> registry.Candidate:
    """The trained pipeline with its metrics: auc, base_rate, rows_train, rows_test, seconds.

    Raises:  LeakSuspected.
    """
    learn, judge = training_flights(known), judged_flights(known)
    started = time.monotonic()
    model = delay_pipeline().fit(flight_inputs(learn), late_labels(learn))
    seconds = time.monotonic() - started
    outcome = late_labels(judge)
    metrics = {
        "auc": check_auc(roc_auc_score(outcome, model.predict_proba(flight_inputs(judge))[:, 1])),
        "base_rate": float(outcome.mean()),
        "rows_train": len(learn),
        "rows_test": len(judge),
        "seconds": seconds,
    }
    return registry.Candidate(model, flight_inputs(known.head(_EXAMPLE_ROWS)), metrics, fingerprint)


def check_auc(auc: float) -> float:
    """The AUC, if it is plausible.

    Raises:  LeakSuspected.
    """
    if auc > LEAK_AUC:
        raise LeakSuspected(
            f"ROC AUC {auc:.3f} on October to December",
            f"about 0.69, at most {LEAK_AUC}",
            "look for an input that is known only after departure",
        )
    return float(auc)


def _trained_model(version: str, metrics: Mapping[str, float], *, reused: bool) -> TrainedModel:
    return TrainedModel(
        name=registry.MODEL_NAME,
        version=version,
        auc=metrics["auc"],
        base_rate=metrics["base_rate"],
        rows_train=int(metrics["rows_train"]),
        rows_test=int(metrics["rows_test"]),
        seconds=metrics["seconds"],
        reused=reused,
    )


@contextmanager
def _redirect_mlflow_output() -> Iterator[None]:
    """MLflow's notes below a warning are kept off, and its links off stdout, which holds the result alone."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)
