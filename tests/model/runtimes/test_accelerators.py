"""Execution providers of onnxruntime, and what PyTorch is asked for, on a machine without a GPU.

What needs one: tests/model/runtimes/test_on_a_gpu.py.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ModelError, PredictError
from sparkscore.model.distribution.executor_packages import check_executor_packages
from sparkscore.model.distribution.shipped_model import OnnxFile
from sparkscore.model.runtimes.onnx import execution_providers
from sparkscore.model.runtimes.onnx.onnx_runtime import open_onnx_session
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.records import PROVIDER_CLASSES, AcceleratorOptions, ProviderName
from tests.model.graphs import linear, saved
from tests.model.runtimes.test_torch_runtime import DOUBLES, TWENTY, mlp, put
from tests.model.shelf import Shelf, positions, signature, tensor

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra gpu is not installed")
torch = pytest.importorskip("torch", reason="the extra gpu is not installed")

pytestmark = [
    pytest.mark.usefixtures("own_environment"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:torch"),
]

ONNX_FILE = OnnxFile("model.onnx", (None,))
OFFERED = onnxruntime.get_available_providers()
RARE: tuple[ProviderName, ...] = ("coreml", "rocm")
ABSENT = next(name for name in RARE if PROVIDER_CLASSES[name] not in OFFERED)


@pytest.fixture
def graph_path(tmp_path: Path) -> Path:
    """A small graph."""
    return saved(linear(np.ones((2, 1)), np.zeros(1)), tmp_path / "model.onnx")


def opened(path: Path, *providers: ProviderName, fallback: bool = False, device: str | None = None) -> Any:
    wanted = AcceleratorOptions(providers, provider_fallback=fallback)
    return open_onnx_session(path, ONNX_FILE, cores=1, device=device, accelerator=wanted)


class TestProviders:
    def test_one_that_this_onnxruntime_lacks_is_refused(self, graph_path: Path) -> None:
        with pytest.raises(ModelError, match=f"{PROVIDER_CLASSES[ABSENT]} is missing: onnxruntime on this") as refused:
            opened(graph_path, ABSENT, "cpu")
        assert refused.value.exit_code == 4
        assert "provider_fallback" in refused.value.do

    def test_one_that_cannot_start_is_refused(self, graph_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        offered = [*onnxruntime.get_available_providers(), PROVIDER_CLASSES[ABSENT]]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
        with pytest.warns(UserWarning, match="not in available"), pytest.raises(ModelError, match="could start CPU"):
            opened(graph_path, ABSENT)

    def test_the_cpu_takes_its_place_where_the_config_says_so(self, graph_path: Path) -> None:
        assert opened(graph_path, ABSENT, fallback=True).get_providers() == ["CPUExecutionProvider"]

    def test_the_cpu_may_be_asked_for_in_a_task_that_has_a_gpu(self, graph_path: Path) -> None:
        assert opened(graph_path, "cpu", device="0").get_providers() == ["CPUExecutionProvider"]

    def test_a_gpu_is_given_by_its_number(self) -> None:
        assert execution_providers._describe_provider("cuda", "3") == ("CUDAExecutionProvider", {"device_id": "3"})
        assert execution_providers._describe_provider("openvino", "3") == "OpenVINOExecutionProvider"

    def test_an_address_that_is_no_number_is_refused(self, graph_path: Path) -> None:
        with pytest.raises(ModelError, match="its address is no number"):
            opened(graph_path, "cuda", device="GPU-8a")


class TestBeforeTheRun:
    def test_a_provider_that_executors_lack_is_refused_before_a_row_is_read(
        self, spark: SparkSession, shelf: Shelf
    ) -> None:
        model = shelf.pinned(put(shelf, "torch-any", mlp(), signature(DOUBLES, positions("float"))))
        with pytest.raises(ModelError, match=f"{PROVIDER_CLASSES[ABSENT]} is missing: onnxruntime on an executor"):
            check_executor_packages(spark, model, AcceleratorOptions((ABSENT,)))
        assert check_executor_packages(spark, model, AcceleratorOptions(("cpu",))) == ()

    def test_the_cpu_in_its_place_is_a_warning_of_the_result(self, spark: SparkSession, shelf: Shelf) -> None:
        model = shelf.pinned(put(shelf, "torch-other", mlp(), signature(DOUBLES, positions("float"))))
        wanted = AcceleratorOptions((ABSENT,), provider_fallback=True)
        (warning,) = check_executor_packages(spark, model, wanted)
        assert f"lacks {PROVIDER_CLASSES[ABSENT]}: CPUExecutionProvider computes instead" in warning


def scorer_with(shelf: Shelf, uri: str, **wanted: Any) -> Scorer:
    placed = shelf.placed(uri)
    accelerated = replace(placed, model=replace(placed.model, accelerator=AcceleratorOptions(**wanted)))
    return accelerated.scorer()


class TestTorch:
    @pytest.mark.parametrize("form", ["pickle", "pt2"])
    def test_autocast_computes_in_bfloat16_and_answers_in_floats(self, shelf: Shelf, form: str) -> None:
        signed = signature(tensor("float32", 20), tensor("float32", 1))
        example = {"input_example": np.zeros((3, 20), np.float32)} if form == "pt2" else {}
        uri = put(shelf, f"torch-autocast-{form}", mlp().eval(), signed, form=form, **example)
        given = [column.slice(0, 500).cast(pa.float32()) for column in TWENTY]
        exact, close = (scorer_with(shelf, uri, **one)(given).predictions for one in ({}, {"autocast": "bfloat16"}))
        assert close.type == exact.type
        distance = np.abs(np.array(close.to_pylist()) - np.array(exact.to_pylist()))
        assert 0 < distance.max() < 0.02

    def test_a_module_that_no_compiler_takes_is_an_error_of_the_model_and_of_no_row(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class RefusedError(Exception):
            __module__ = "torch._dynamo.exc"

        def refuse(_: Any) -> Any:
            raise RefusedError("no C++ compiler")

        monkeypatch.setattr(torch, "compile", lambda *_, **__: refuse)
        uri = put(shelf, "torch-uncompiled", mlp(), signature(DOUBLES, positions("float")))
        with pytest.raises(PredictError, match="could not compile the module: RefusedError: no C") as refused:
            scorer_with(shelf, uri, compile=True)  # before a row is there
        assert type(refused.value) is PredictError
        assert "model.torch.compile" in refused.value.do

    @pytest.mark.slow
    def test_a_compiled_module_predicts_the_same_for_batches_of_any_size(self, shelf: Shelf) -> None:
        uri = put(shelf, "torch-compiled", mlp(), signature(DOUBLES, positions("float")))
        plain, compiled = scorer_with(shelf, uri), scorer_with(shelf, uri, compile=True)
        frames = torch._dynamo.utils.counters["frames"]["total"]
        for rows in (500, 7, 123):
            given = [column.slice(0, rows) for column in TWENTY]
            np.testing.assert_allclose(
                compiled(given).predictions.to_numpy(), plain(given).predictions.to_numpy(), atol=1e-6
            )
        assert torch._dynamo.utils.counters["frames"]["total"] == frames  # compiled with the load, once
        np.testing.assert_allclose(
            compiled([column.slice(0, 1) for column in TWENTY]).predictions.to_numpy(),
            plain([column.slice(0, 1) for column in TWENTY]).predictions.to_numpy(),
            atol=1e-6,
        )
