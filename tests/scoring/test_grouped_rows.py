"""Rows of many groups in one batch: each by its own model, and back in order."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sparkscore.errors import DigestMismatch, ModelNotLoaded
from sparkscore.model.host.error_messages import decode_host_error, encode_host_error
from sparkscore.model.runtimes.scorer import to_load_error
from sparkscore.schemas import MODEL_LINEAGE, REJECT_TYPE
from sparkscore.scoring.grouped_rows import (
    PLACE_COLUMN,
    GroupedRowScorer,
    GroupModel,
    _GroupKernels,
    lineage_source_column,
)
from sparkscore.scoring.stage_rows import StageRowScorer
from tests.model.host.models import shipped

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        *((name, pa.string()) for name in MODEL_LINEAGE),
        ("prediction", pa.float64()),
        ("_reject", REJECT_TYPE),
    ]
)


@dataclass
class Kernels:
    """Kernels whose models predict x + 1,000 times their place; one of them cannot be loaded."""

    failing: int | None = None
    calls: list[tuple[int | None, int]] = field(default_factory=list)

    def find_load_failure(self, place: int) -> tuple[str, str, str] | None:
        return ("no_model", "ValueError", "broken") if place == self.failing else None

    def get_kernel(self, place: int | None) -> Any:
        return _Kernel(self, place)


@dataclass
class _Kernel:
    kernels: Kernels
    place: int | None

    def score_group(self, batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        (batch,) = batches
        keep = batch.column(0) if batch.num_columns == 2 else pa.repeat(True, batch.num_rows)
        if pc.any(keep).as_py():
            self.kernels.calls.append((self.place, pc.sum(keep).as_py()))
        value = pc.add(batch.column(batch.num_columns - 1), 1000.0 * (self.place or 0))
        return [pa.record_batch([pc.if_else(keep, value, pa.scalar(None, pa.float64()))], ["prediction"])]


@pytest.fixture
def scorer() -> GroupedRowScorer:
    """Of three models."""
    rows = StageRowScorer(
        model=None,  # type: ignore[arg-type]
        input_columns=["x"],
        find_rejects=lambda batch: None,
        schema=SCHEMA,
        counters=None,  # type: ignore[arg-type]
        source_columns={name: lineage_source_column(name) for name in MODEL_LINEAGE},
    )
    models = tuple(GroupModel(None, (f"m{place}", "1", "")) for place in range(3))  # type: ignore[arg-type]
    return GroupedRowScorer(rows, models)


def batch_of(places: list[int | None]) -> pa.RecordBatch:
    ids = list(range(len(places)))
    columns = {"id": ids, "x": [float(one) for one in ids], PLACE_COLUMN: pa.array(places, pa.int32())}
    return pa.record_batch(columns)


@pytest.mark.parametrize("places", [[0, 0, 1, 2, 2], [None, 0, 1], [2, 0, 2, None, 0, 1, 2], [None], [1, None, 1]])
def test_each_row_keeps_its_place_and_has_its_models_prediction(
    scorer: GroupedRowScorer, places: list[int | None]
) -> None:
    kernels = Kernels()
    scored = scorer._score_batch(kernels, batch_of(places))  # type: ignore[arg-type]
    assert scored.schema == SCHEMA
    assert scored.column("id").to_pylist() == list(range(len(places)))
    expected = [None if place is None else at + 1000.0 * place for at, place in enumerate(places)]
    assert scored.column("prediction").to_pylist() == expected
    assert scored.column("model_name").to_pylist() == [None if place is None else f"m{place}" for place in places]
    codes = [None if one is None else one["code"] for one in scored.column("_reject").to_pylist()]
    assert codes == ["no_model" if place is None else None for place in places]
    assert sorted(str(place) for place, _ in kernels.calls) == sorted({str(one) for one in places if one is not None})


def test_rows_of_a_model_that_cannot_be_loaded_are_rejects_and_no_others(scorer: GroupedRowScorer) -> None:
    scored = scorer._score_batch(Kernels(failing=1), batch_of([0, 1, 0, 1]))  # type: ignore[arg-type]
    messages = [None if one is None else one["message"] for one in scored.column("_reject").to_pylist()]
    assert messages == [None, "broken", None, "broken"]
    assert scored.column("prediction").to_pylist() == [0.0, None, 2.0, None]


def arrived(error: Exception) -> Exception:
    """What the worker gets to see of it where the model is in a process of its own."""
    return decode_host_error(encode_host_error(to_load_error(error)))


@pytest.fixture
def kernels(scorer: GroupedRowScorer, tmp_path: Path) -> Any:
    model = shipped(tmp_path / "model", None, inputs=[], output=pa.float64())
    return _GroupKernels(replace(scorer, rows=replace(scorer.rows, model=model)), sizer=None)  # type: ignore[arg-type]


def test_a_reject_says_the_same_whichever_process_could_not_load_its_model(kernels: Any) -> None:
    raised = BadZipFile("File is not a zip file")
    text = "m1 version 1: the model could not be loaded on an executor: BadZipFile: File is not a zip file"
    assert kernels._to_reject(1, raised) == ("no_model", "BadZipFile", text)
    assert kernels._to_reject(1, arrived(raised)) == ("no_model", "BadZipFile", text)


@pytest.mark.parametrize("error", [MemoryError("no luck"), DigestMismatch("the files differ")], ids=repr)
def test_what_is_no_fault_of_a_model_ends_the_run_whichever_process_loads_it(kernels: Any, error: Exception) -> None:
    expected = ModelNotLoaded if isinstance(error, MemoryError) else DigestMismatch
    with pytest.raises(expected):
        kernels._to_reject(1, error)
    with pytest.raises(expected):
        kernels._to_reject(1, arrived(error))
