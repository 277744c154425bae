"""Has the optimiser make candidates of some models; writes docs/benchmarks/optimized-models.md of what it measured.

    PYTHONPATH=src:ci python -m bench.optimized_models [--only flights,lightgbm] [--seconds 20]

The same processes as `optimize-model` starts, without Spark: from Arrow columns to predictions.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.models import ModelSignature, infer_signature

from bench import machine
from sparkscore.model.distribution.model_shipping import describe_shipped_model
from sparkscore.model.optimise.agreement_measures import LabelRule
from sparkscore.model.optimise.candidate_choice import ToleranceLimits, judge_candidates
from sparkscore.model.optimise.model_parents import check_parent_library
from sparkscore.model.optimise.optimiser_requests import ConversionRequest, MeasuringRequest, ModelFolder, write_sample
from sparkscore.model.optimise.optimiser_start import ask_optimiser
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.pipelines.optimization.candidate_measuring import (
    ModelMeasurements,
    describe_candidate,
    list_parent_runtimes,
)
from sparkscore.pipelines.optimization.sampling import Sample
from sparkscore.records import MeasuredModel, PinnedModel, TrustPolicy
from sparkscore.settings.optimize_settings import OptimizeSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE, RESULTS = "optimized-models.md", "optimized-models.json"
BATCH_ROWS, CORES = 10_000, 2
Saved = tuple[Callable[[str], None], pd.DataFrame, Any]
"""What saves the model into a folder, rows, and which of them are positive."""


def flights() -> Saved:
    """The quickstart's pipeline: text, missing values, one-hot columns, a logistic regression."""
    from sparkscore.demo.flights import load_tables
    from sparkscore.demo.recipe import delay_pipeline, flight_inputs, late_labels, training_flights, with_outcome
    from sparkscore.demo.registry import delay_signature

    known = with_outcome(load_tables().flights)
    learn, judge = training_flights(known), known[known["month"] > 9].sample(40_000, random_state=0)
    model = delay_pipeline().fit(flight_inputs(learn), late_labels(learn))
    return _sklearn(model, delay_signature()), flight_inputs(judge), late_labels(judge).to_numpy() == 1


def histogram_boosting() -> Saved:
    """HistGradientBoostingClassifier, 100 iterations, 20 doubles of which one in twenty is missing."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, truth = _numbers(missing=0.05)
    model = HistGradientBoostingClassifier(max_iter=100).fit(rows, truth)
    return _sklearn(model, infer_signature(rows, model.predict_proba(rows.head(5)))), rows, truth


def lightgbm() -> Saved:
    """A booster of LightGBM: 200 trees of 31 leaves, the same rows."""
    import lightgbm as library

    rows, truth = _numbers(missing=0.05)
    booster = library.train({"objective": "binary", "verbose": -1}, library.Dataset(rows, truth), 200)
    signature = infer_signature(rows, booster.predict(rows.head(5)))
    return (
        lambda folder: mlflow.lightgbm.save_model(booster, folder, signature=signature, pip_requirements=[]),
        rows,
        truth,
    )


def torch_perceptron() -> Saved:
    """A perceptron of PyTorch: 20 inputs, 256 and 256 hidden units, trained for a few epochs."""
    import torch

    rows, truth = _numbers(missing=0.0)
    torch.manual_seed(0)
    layers = torch.nn
    module = layers.Sequential(
        layers.Linear(20, 256),
        layers.ReLU(),
        layers.Linear(256, 256),
        layers.ReLU(),
        layers.Linear(256, 1),
        layers.Sigmoid(),
    )
    inputs, wanted = torch.from_numpy(rows.to_numpy(np.float32)), torch.from_numpy(truth.astype(np.float32))
    steps = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(5):
        for begin in range(0, len(inputs), 500):
            steps.zero_grad()
            found = module(inputs[begin : begin + 500])[:, 0]
            torch.nn.functional.binary_cross_entropy(found, wanted[begin : begin + 500]).backward()
            steps.step()
    frame = rows.astype(np.float32).set_axis(range(20), axis=1)
    with torch.no_grad():
        signature = infer_signature(frame.to_numpy(), module(inputs[:5]).numpy())
    save = {"signature": signature, "pip_requirements": [], "serialization_format": "pickle"}
    return lambda folder: mlflow.pytorch.save_model(module.eval(), folder, **save), frame, truth


CASES: Mapping[str, Callable[[], Saved]] = {
    "flights": flights,
    "histogram_boosting": histogram_boosting,
    "lightgbm": lightgbm,
    "torch_perceptron": torch_perceptron,
}


def _numbers(*, missing: float) -> tuple[pd.DataFrame, Any]:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(draw.normal(size=(40_000, 20)), columns=[f"x{index}" for index in range(20)])
    truth = (rows["x0"] * rows["x1"] + rows["x2"] + draw.normal(0, 0.5, len(rows)) > 0).to_numpy()
    return (rows.mask(draw.random(rows.shape) < missing) if missing else rows), truth


def _sklearn(model: Any, signature: ModelSignature) -> Callable[[str], None]:
    more = {"pyfunc_predict_fn": "predict_proba", "serialization_format": "cloudpickle", "pip_requirements": []}
    return lambda folder: mlflow.sklearn.save_model(model, folder, signature=signature, **more)


@dataclass(frozen=True)
class CaseResult:
    """A model and its candidates."""

    name: str
    about: str
    rows: int
    measured: Sequence[MeasuredModel]
    load: float
    """The load average before."""


def measure_case(name: str, seconds: float) -> CaseResult:
    """What `optimize-model` would measure."""
    make, load = CASES[name], machine.load()
    save, frame, truth = make()
    with tempfile.TemporaryDirectory(prefix="sparkscore-bench-") as place:
        folder = Path(place)
        save(str(folder / "parent"))
        parent = _pinned(folder / "parent")
        columns = tuple(_column(frame, index) for index in range(len(parent.inputs)))
        sample = Sample(columns, pa.array(np.asarray(truth, dtype=bool)))
        write_sample(folder, columns)
        made = _convert(parent, folder)
        candidates = [describe_candidate(one, told, parent, folder) for one, told in made.items()]
        measured = _measure(parent, candidates, sample, folder, seconds)
    return CaseResult(name, (make.__doc__ or "").strip(), len(frame), measured, load)


def _convert(parent: PinnedModel, folder: Path) -> Mapping[str, Any]:
    loader = read_mlmodel(parent.path, parent.trust)["flavors"]["python_function"]["loader_module"]
    every = OptimizeSettings().candidates
    request = ConversionRequest(
        _folder("parent", parent), check_parent_library(loader), every, parent.parts.name or "prediction", CORES
    )
    found: Mapping[str, Any] = _ask(request, folder)["candidates"]
    return found


def _ask(request: ConversionRequest | MeasuringRequest, folder: Path) -> Mapping[str, Any]:
    return ask_optimiser(request, folder, sensitive=False, timeout_s=OptimizeSettings().timeout)


def _measure(
    parent: PinnedModel, candidates: Sequence[Any], sample: Sample, folder: Path, seconds: float
) -> tuple[MeasuredModel, ...]:
    parents = list_parent_runtimes(parent)
    built = [(one.record.name, one.model) for one in candidates if one.model is not None]
    models = tuple(_folder(name, model) for name, model in (*parents.items(), *built))
    answer = _ask(MeasuringRequest(models, BATCH_ROWS, seconds, CORES), folder)
    numbers, own = ModelMeasurements(answer, [one.name for one in models], folder, sample), next(iter(parents))
    found = [numbers.describe(one, own=own, rule=LabelRule()) for one in candidates]
    limits = ToleranceLimits(**OptimizeSettings().tolerance.model_dump(), min_speedup=1.0)
    judged = judge_candidates(found, limits, parent_auc=numbers.auc(own))
    return (*(numbers.describe_parent(name, model, own=own) for name, model in parents.items()), *judged)


def _pinned(folder: Path) -> PinnedModel:
    trust = TrustPolicy(code="allow", pickle="allow", requirements="ignore")
    copy = PrivateCopy("bench", "1", compute_model_digest(folder), folder)
    return describe_private_copy(copy, runtime="auto", params={}, trust=trust)


def _folder(name: str, model: PinnedModel) -> ModelFolder:
    return ModelFolder(name, describe_shipped_model(model, params={}), model.path)


def _column(frame: pd.DataFrame, index: int) -> pa.Array:
    column = pa.array(frame.iloc[:, index], from_pandas=True)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def write_page(results: Sequence[CaseResult], out: Path) -> None:
    """The page and its numbers."""
    about = machine.facts(ROOT)
    told = [asdict(one) for one in results]
    (out / RESULTS).write_text(
        json.dumps({"machine": about, "versions": machine.versions(), "cases": told}, indent=1) + "\n"
    )
    loads = ", ".join(f"{one.load:g}" for one in results)
    head = f"""# Faster models

What [`optimize-model`](../optimizing.md) makes of some models: speed beside agreement. Written by
`ci/bench/optimized_models.py` on {datetime.now(UTC):%Y-%m-%d}; the numbers are in [{RESULTS}]({RESULTS}).

Machine: {about["cpu"]}, {about["cores"]} cores, {about["memory_gib"]} GiB; load average before each model: {loads}.
A load near or above the number of cores means that others worked, too: look at the ratios, which are of the same
round, not at the rows per second.

Each model and each of its candidates predicts the same rows in batches of {BATCH_ROWS:,}, with {CORES} threads, from
Arrow columns to predictions; all in every round, in another order each time. Speed-up: median of the rounds (least to
greatest) over the model by its own runtime; beside it over MLflow's pyfunc. Differences are from the model's own
predictions; tolerances are the defaults.
"""
    (out / PAGE).write_text("\n".join([head, *map(_case_text, results)]))


def _case_text(one: CaseResult) -> str:
    lines = [
        f"## {one.name.replace('_', ' ')}",
        "",
        f"{one.about} {one.rows:,} rows.",
        "",
        "| model | outcome | rows/s | speed-up | over pyfunc | p50, p99 of a batch | load | size | greatest difference"
        " | mean | other labels | ROC AUC |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *map(_row_text, one.measured),
        "",
    ]
    return "\n".join(lines)


def _row_text(one: MeasuredModel) -> str:
    if one.speed is None or one.agreement is None or one.speedup_range is None:
        return f"| {one.name} | {one.status.replace('_', ' ')}: {one.reason} |" + " |" * 10
    least, most = one.speedup_range
    beside = "–" if one.speedup_over_pyfunc is None else f"{one.speedup_over_pyfunc:.2f}"
    outcome = one.status.replace("_", " ") + (f": {one.reason}" if one.status == "tolerance_missed" else "")
    found = one.agreement
    cells = [
        one.name,
        outcome,
        f"{one.speed.rows_per_second:,.0f}",
        f"**{one.speedup:.2f}** ({least:.2f} to {most:.2f})",
        beside,
        f"{one.speed.p50_ms:.1f}, {one.speed.p99_ms:.1f} ms",
        f"{one.speed.load_seconds * 1e3:.0f} ms",
        f"{(one.bytes or 0) / 1e3:,.1f} kB",
        f"{found.max_difference or 0:.1e}",
        f"{found.mean_difference or 0:.1e}",
        f"{found.flips:,}",
        "–" if found.auc is None else f"{found.auc:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("bench.optimized_models", description=__doc__)
    parser.add_argument("--only", default=",".join(CASES), help="models, by commas")
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring, for each model")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    results = []
    for name in options.only.split(","):
        results.append(measure_case(name, options.seconds))
        machine.say(f"{name}: " + ", ".join(f"{one.name} {one.speedup}" for one in results[-1].measured))
    options.out.mkdir(parents=True, exist_ok=True)
    write_page(results, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
