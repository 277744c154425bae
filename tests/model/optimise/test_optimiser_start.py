"""The optimiser's process is ended where it takes too long, with whatever it has started."""

from pathlib import Path

import pyarrow as pa
import pytest

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.optimise import optimiser_start
from sparkscore.model.optimise.optimiser_requests import ConversionRequest, MeasuringRequest, ModelFolder
from sparkscore.model.optimise.optimiser_start import ask_optimiser
from tests.model.host.node import eventually, runs

MODEL = ModelFolder("parent", ShippedModel("", "", "sklearn", (), False, pa.float64()), "/nowhere")

CONVERSION = ConversionRequest(MODEL, "scikit-learn", ("onnx",), "prediction", 1)


def test_a_process_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimiser_start, "_MODULE", "tests.model.optimise.sleeping_process")
    with pytest.raises(ModelError) as late:
        ask_optimiser(CONVERSION, tmp_path, sensitive=False, timeout_s=5)
    assert "the process that converts the model has not answered within 5 s" in late.value.found
    assert late.value.found.endswith("at the candidate onnx")
    assert "optimize.timeout" in late.value.do
    other = int((tmp_path / "other.pid").read_text())
    assert eventually(lambda: not runs(other))


def test_a_line_of_a_process_over_sensitive_columns_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimiser_start, "_MODULE", "tests.model.optimise.sleeping_process")
    with pytest.raises(ModelError) as late:
        ask_optimiser(MeasuringRequest((MODEL,), 1_000, 1.0, 1), tmp_path, sensitive=True, timeout_s=0.5)
    assert "the process that measures the models" in late.value.found
    assert late.value.found.endswith("was ended")
