"""The optimiser's process: loads the model, which runs its author's code, converts it, and measures.

    python -P -m sparkscore.model.optimise.optimiser_process FOLDER

Apart from the driver, which has credentials and the session; its environment has no secrets. It asks no registry.
"""

import os
import pickle
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from sparkscore.errors import ModelError, SparkscoreError
from sparkscore.model.optimise.batch_timing import Timings, time_rounds
from sparkscore.model.optimise.candidate_folders import save_candidate_folder
from sparkscore.model.optimise.graph_attempts import convert_model, describe_conversion_error
from sparkscore.model.optimise.model_parents import load_model_parent
from sparkscore.model.optimise.optimiser_requests import (
    REQUEST_FILE,
    SAMPLE_FILE,
    ConversionRequest,
    MeasuringRequest,
    ModelFolder,
    read_arrow_columns,
    write_answer,
    write_predictions,
)
from sparkscore.model.optimise.reduced_graphs import Feeds, NotApplicableError, reduce_graph
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.onnx.binding import build_input_feed
from sparkscore.model.runtimes.onnx.graph_file import read_onnx_graph
from sparkscore.model.runtimes.onnx.graph_inputs import plan_graph_feeds
from sparkscore.model.runtimes.scorer import Scorer, to_load_error

_CHECKED_ROWS, _CALIBRATION_ROWS, _CALIBRATION_BATCH = 2_000, 5_000, 500


def convert_candidates(request: ConversionRequest, folder: Path) -> dict[str, Any]:
    """Save the candidates' folders; what became of each, by name."""
    columns, model = read_arrow_columns(folder / SAMPLE_FILE), request.parent.model
    few = [column.slice(0, _CHECKED_ROWS) for column in columns]
    score = load_verified_scorer(model, request.parent.folder, cores=request.cores, device=None)
    expected = score(few).predictions
    parent = load_model_parent(request.library, model, request.parent.folder)
    converted = convert_model(parent, model, few, expected, output=request.output)
    del parent
    feeds = _calibration_feeds(converted.graph, request.parent, columns, folder)
    made = {}
    for name in request.candidates:
        try:
            reduced = reduce_graph(name, converted.graph, feeds)
            save_candidate_folder(reduced, request.parent.folder, folder / name)
            made[name] = {"status": "made", "reason": converted.way}
        except NotApplicableError as error:
            made[name] = {"status": "not_applicable", "reason": str(error)}
        except Exception as error:  # noqa: BLE001  one candidate's failure is not the others'
            made[name] = {"status": "failed", "reason": describe_conversion_error(error, sensitive=model.sensitive)}
    return {"candidates": made}


def measure_models(request: MeasuringRequest, folder: Path) -> dict[str, Any]:
    """The times of each model that can be loaded and predicts the sample; predictions go to files."""
    columns = read_arrow_columns(folder / SAMPLE_FILE)
    batches = [
        [column.slice(start, request.batch_rows) for column in columns]
        for start in range(0, len(columns[0]), request.batch_rows)
    ]
    scorers, loads, failures = {}, {}, {}
    for index, one in enumerate(request.models):
        try:
            load = partial(load_verified_scorer, one.model, one.folder, cores=request.cores, device=None)
            load()  # with the import of its libraries
            begun = time.perf_counter()
            scorer = load()
            loads[one.name] = time.perf_counter() - begun
            write_predictions(folder, index, _predict_batches(scorer, batches))
            scorers[one.name] = scorer
        except Exception as error:  # noqa: BLE001  as above
            failures[one.name] = _describe_failure(error, one)
    timings = time_rounds(scorers, batches, seconds=request.seconds) if scorers else {}
    for name, seconds in loads.items():
        timings.setdefault(name, Timings()).load_seconds = seconds
    return {
        "timings": {name: {"load": one.load_seconds, "rounds": one.rounds} for name, one in timings.items()},
        "failures": failures,
    }


def _predict_batches(score: Scorer, batches: Sequence[Sequence[pa.Array]]) -> pa.Array:
    return pa.concat_arrays([score(batch).predictions for batch in batches])


def _calibration_feeds(graph: Any, parent: ModelFolder, columns: Sequence[pa.Array], folder: Path) -> Feeds:
    import onnx

    path = folder / "calibrated.onnx"
    onnx.save(graph, str(path))
    described = read_onnx_graph(path)
    path.unlink()
    if described is None:
        raise ModelError("onnx is not installed", "the package onnx", 'pip install "sparkscore[optimize,onnx]"')
    plan = plan_graph_feeds(described, parent.model.inputs)
    return [
        build_input_feed(plan, [column.slice(start, _CALIBRATION_BATCH) for column in columns], parent.model)
        for start in range(0, min(len(columns[0]), _CALIBRATION_ROWS), _CALIBRATION_BATCH)
    ]


def _describe_failure(error: Exception, one: ModelFolder) -> str:
    return to_load_error(error, sensitive=one.model.sensitive).found


def answer_request(folder: Path) -> None:
    """Answer the request in a folder."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    request = pickle.loads((folder / REQUEST_FILE).read_bytes())  # noqa: S301  the driver's own
    try:
        if isinstance(request, ConversionRequest):
            answer = convert_candidates(request, folder)
        else:
            answer = measure_models(request, folder)
    except SparkscoreError as error:
        answer = {"error": {"name": type(error).__name__, "parts": [error.found, error.expected, error.do]}}
    write_answer(folder, answer)


if __name__ == "__main__":
    answer_request(Path(sys.argv[1]))
