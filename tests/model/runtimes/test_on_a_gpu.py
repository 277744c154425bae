"""What only a real GPU shows: `python -m pytest -m gpu`, on a machine with one. Skipped elsewhere."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sparkscore.model.distribution.shipped_model import OnnxFile
from sparkscore.model.runtimes.onnx.onnx_runtime import open_onnx_session
from sparkscore.records import AcceleratorOptions
from sparkscore.scoring.gpu_usage import read_gpu_usage
from tests.model.graphs import linear, saved
from tests.model.runtimes.test_torch_runtime import DOUBLES, TWENTY, mlp, put
from tests.model.shelf import Shelf, positions, signature, tensor

torch = pytest.importorskip("torch", reason="the extra gpu is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra gpu is not installed")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.usefixtures("own_environment"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU of NVIDIA's"),
]
HAS_CUDA_OF_ONNX = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def scored(shelf: Shelf, uri: str, given: list[pa.Array], *, device: str | None, **wanted: Any) -> Any:
    placed = shelf.placed(uri)
    placed = replace(placed, model=replace(placed.model, accelerator=AcceleratorOptions(**wanted)))
    return np.array(placed.scorer(device=device)(given).predictions.to_pylist(), float)


@pytest.mark.parametrize(
    ("wanted", "within"),
    [({}, 1e-5), ({"autocast": "bfloat16"}, 0.02), ({"autocast": "float16"}, 0.005), ({"compile": True}, 1e-5)],
)
def test_torch_predicts_on_the_gpu_what_it_predicts_on_the_cpu(
    shelf: Shelf, wanted: dict[str, Any], within: float
) -> None:
    uri = put(shelf, "gpu-torch", mlp(), signature(DOUBLES, positions("float")))
    before = torch.cuda.max_memory_allocated(0)
    ours = scored(shelf, uri, TWENTY, device="0", **wanted)
    np.testing.assert_allclose(ours, scored(shelf, uri, TWENTY, device=None), atol=within)
    assert torch.cuda.max_memory_allocated(0) > before


def test_an_exported_program_of_the_gpu_runs_there(shelf: Shelf) -> None:
    signed = signature(tensor("float32", 20), tensor("float32", 1))
    example = np.zeros((3, 20), np.float32)
    uri = put(shelf, "gpu-exported", mlp().eval().to("cuda:0"), signed, form="pt2", input_example=example)
    given = [column.cast(pa.float32()) for column in TWENTY]
    assert np.isfinite(scored(shelf, uri, given, device="0")[:-1]).all()


@pytest.mark.skipif(not HAS_CUDA_OF_ONNX, reason="this onnxruntime is built without CUDA")
def test_onnxruntime_gives_cuda_where_it_is_asked_for(tmp_path: Any) -> None:
    path = saved(linear(np.ones((2, 1)), np.zeros(1)), tmp_path / "model.onnx")
    wanted = AcceleratorOptions(("cuda",))
    session = open_onnx_session(path, OnnxFile("model.onnx", (None,)), cores=1, device="0", accelerator=wanted)
    assert session.get_providers()[0] == "CUDAExecutionProvider"


def test_the_driver_tells_what_the_gpu_does() -> None:
    held = torch.zeros(1 << 26, device="cuda:0")
    usage = read_gpu_usage("0")
    assert usage["gpu_memory_bytes"] >= held.nbytes
    assert 0 <= usage["gpu_use"] <= 1
