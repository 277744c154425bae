"""What the optimiser's process is asked, and its answers: Arrow and JSON, so that nothing of a model's is unpickled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel

REQUEST_FILE, ANSWER_FILE, SAMPLE_FILE = "request.pickle", "answer.json", "sample.arrow"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model that is executed, by whichever runtime, and where its files are."""

    name: str
    model: ShippedModel
    folder: str


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """Make the candidates of a model, each as a folder of MLflow's."""

    parent: ModelFolder
    library: str
    candidates: tuple[str, ...]
    output: str
    """Name of the graphs' output."""
    cores: int


@dataclass(frozen=True, slots=True)
class MeasuringRequest:
    """Load models, predict the sample by each, and take the time."""

    models: tuple[ModelFolder, ...]
    batch_rows: int
    seconds: float
    cores: int


def write_sample(folder: Path, columns: Sequence[pa.Array]) -> None:
    """The columns of the sample, as the model's inputs are numbered."""
    batch = pa.record_batch(list(columns), [str(index) for index in range(len(columns))])
    with pa.OSFile(str(folder / SAMPLE_FILE), "wb") as file, pa.ipc.new_file(file, batch.schema) as stream:
        stream.write_batch(batch)


def read_arrow_columns(path: Path) -> list[pa.Array]:
    """The columns of a file that holds one batch."""
    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0)
        return list(batch.columns)


def write_predictions(folder: Path, index: int, predictions: pa.Array) -> None:
    """What the model of this number predicted for the sample."""
    batch = pa.record_batch([predictions], ["prediction"])
    with pa.OSFile(str(folder / f"{index}.arrow"), "wb") as file, pa.ipc.new_file(file, batch.schema) as stream:
        stream.write_batch(batch)


def write_answer(folder: Path, answer: Mapping[str, Any]) -> None:
    """The answer, at once."""
    partial = folder / f".{ANSWER_FILE}"
    partial.write_text(json.dumps(answer), encoding="utf-8")
    partial.replace(folder / ANSWER_FILE)
