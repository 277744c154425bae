import sys
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from sparkscore.errors import InputOutOfRange, ModelError, PredictError
from sparkscore.model.distribution.shipped_model import TorchFile
from sparkscore.model.runtimes import torch_runtime
from tests.model.shelf import Shelf, columns, positions, signature, tensor

torch = pytest.importorskip("torch", reason="the extra gpu is not installed")

pytestmark = [
    pytest.mark.usefixtures("own_environment"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:torch"),
]

DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(size=(500, 20))
TWENTY = [pa.array(np.append(ROWS[:, place], np.nan)) for place in range(20)]
DOUBLES = columns(**{f"x{place}": "double" for place in range(20)})


def mlp(inputs: int = 20, outputs: int = 1) -> Any:
    """A module that behaves otherwise while it is trained."""
    torch.manual_seed(0)
    layers = (torch.nn.Linear(inputs, 64), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(64, outputs))
    return torch.nn.Sequential(*layers, torch.nn.Sigmoid())


def put(shelf: Shelf, name: str, model: Any, signed: ModelSignature, *, form: str = "pickle", **more: Any) -> str:
    log = partial(mlflow.pytorch.log_model, model, serialization_format=form)
    return shelf.logged(name, log, signed, **more)


def same_as_pyfunc(shelf: Shelf, uri: str, *given: pa.Array, **more: Any) -> pa.Array:
    """The predictions, which are the same bits whether MLflow predicts or PyTorch by itself."""
    plain, through = shelf.placed(uri, **more), shelf.placed(uri, runtime="pyfunc", **more)
    assert (plain.model.runtime, through.model.runtime) == ("torch", "pyfunc")
    ours, theirs = plain.scorer()(given).predictions, through.scorer()(given).predictions
    assert ours.type == theirs.type
    np.testing.assert_array_equal(np.array(ours.to_pylist()), np.array(theirs.to_pylist()))
    return ours


class TestTheSamePredictionsAsMlflow:
    def test_columns_become_floats(self, shelf: Shelf) -> None:
        uri = put(shelf, "torch-columns", mlp(), signature(DOUBLES, positions("float")))
        got = same_as_pyfunc(shelf, uri, *TWENTY).to_numpy()
        with torch.no_grad():
            expected = mlp().eval()(torch.from_numpy(ROWS.astype(np.float32))).numpy()[:, 0]
        np.testing.assert_allclose(got[:-1], expected, atol=1e-6)
        assert np.isnan(got[-1])

    def test_a_double_that_is_infinite_as_float_is_told(self, shelf: Shelf) -> None:
        uri = put(shelf, "torch-range", mlp(), signature(DOUBLES, positions("float")))
        with pytest.raises(InputOutOfRange, match="the input x19 has a number"):
            shelf.placed(uri).scorer()([*[pa.array([1.0])] * 19, pa.array([1e300])])

    def test_mixed_columns_become_floats_too(self, shelf: Shelf) -> None:
        inputs = columns(a="double", b="long", c="float", d="boolean")
        uri = put(shelf, "torch-mixed", mlp(4), signature(inputs, positions("float")))
        whole = np.arange(501)
        given = (TWENTY[0], pa.array(whole), TWENTY[2].cast(pa.float32()), pa.array(whole % 3 == 0))
        same_as_pyfunc(shelf, uri, *given)

    def test_several_columns_that_come_out_are_a_struct(self, shelf: Shelf) -> None:
        uri = put(shelf, "torch-struct", mlp(20, 3), signature(DOUBLES, Schema([ColSpec("float")] * 3)))
        placed = shelf.placed(uri)
        assert placed.model.output == pa.struct([(str(place), pa.float32()) for place in range(3)])
        ours, theirs = (one.scorer()(TWENTY).predictions for one in (placed, shelf.placed(uri, runtime="pyfunc")))
        assert ours.slice(0, 500).equals(theirs.slice(0, 500))

    @pytest.mark.parametrize("kind", ["float32", "float64"])
    def test_a_tensor_keeps_its_type(self, shelf: Shelf, kind: str) -> None:
        model = mlp(20, 2).to(torch.float64 if kind == "float64" else torch.float32)
        uri = put(shelf, f"torch-{kind}", model, signature(tensor(kind, 20), tensor(kind, 2)))
        arrow = pa.from_numpy_dtype(kind)
        assert same_as_pyfunc(shelf, uri, *(column.cast(arrow) for column in TWENTY)).type == pa.list_(arrow)

    def test_a_list_column_may_bring_the_whole_tensor(self, shelf: Shelf) -> None:
        uri = put(shelf, "torch-lists", mlp(), signature(tensor("float32", 20), tensor("float32", 1)))
        lists = pa.array(ROWS.astype(np.float32).tolist(), pa.list_(pa.float32()))
        same_as_pyfunc(shelf, uri, lists, inputs={"0": "embedding"})

    def test_pictures_are_tensors_of_more_dimensions(self, shelf: Shelf) -> None:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.Flatten(), torch.nn.Linear(12, 1))
        uri = put(shelf, "torch-pictures", model, signature(tensor("float32", 2, 3, 3), tensor("float32", 1)))
        pictures = DRAW.normal(size=(7, 2, 3, 3)).astype(np.float32)
        given = pa.array(pictures.tolist(), pa.list_(pa.list_(pa.list_(pa.float32()))))
        got = same_as_pyfunc(shelf, uri, given)
        with torch.no_grad():
            np.testing.assert_allclose(got.to_pylist(), model(torch.from_numpy(pictures)).numpy(), atol=1e-6)

    def test_scripts_and_exported_modules_are_read_as_well(self, shelf: Shelf) -> None:
        floats = [column.cast(pa.float32()) for column in TWENTY]
        signed = signature(tensor("float32", 20), tensor("float32", 1))
        script = put(shelf, "torch-script", torch.jit.script(mlp()), signed)
        example = ROWS[:3].astype(np.float32)
        exported = put(shelf, "torch-exported", mlp().eval(), signed, form="pt2", input_example=example)
        assert shelf.placed(exported).model.file == TorchFile("data", "pt2")
        for uri in (script, exported):
            same_as_pyfunc(shelf, uri, *floats)


class TestLoading:
    @pytest.mark.parametrize("form", ["pickle", "pt2"])
    def test_it_can_be_switched_off_as_in_mlflow(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        signed = signature(tensor("float32", 20), tensor("float32", 1))
        more = {"input_example": ROWS[:3].astype(np.float32)} if form == "pt2" else {}
        placed = shelf.placed(put(shelf, f"torch-off-{form}", mlp().eval(), signed, form=form, **more))
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        with pytest.raises(ModelError, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false"):
            placed.scorer()

    @pytest.mark.parametrize("device", ["0", "7", "GPU-8a"])
    def test_a_gpu_that_is_not_there_is_missed(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, device: str
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "7")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 7)
        placed = shelf.placed(put(shelf, "torch-gpu", mlp(), signature(DOUBLES, positions("float"))))
        with pytest.raises(ModelError, match=f"the GPU of the task .address {device}. cannot be used") as caught:
            placed.scorer(device=device)
        assert caught.value.exit_code == 4

    def test_a_gpu_is_taken_by_its_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 7)
        assert torch_runtime._select_torch_device(torch, "6") == torch.device("cuda:6")

    def test_an_exported_module_stays_where_it_was(self) -> None:
        module = mlp()
        assert torch_runtime._check_exported_device(torch.device("cpu"), module) is module
        with pytest.raises(ModelError, match="exported on cpu") as caught:
            torch_runtime._check_exported_device(torch.device("cuda:0"), module)
        assert 'model.to("cuda")' in caught.value.do

    @pytest.mark.parametrize("cores", [2, 1])
    def test_threads_are_the_tasks_cores(self, shelf: Shelf, cores: int) -> None:
        shelf.placed(put(shelf, "torch-cores", mlp(), signature(DOUBLES, positions("float")))).scorer(cores=cores)
        assert torch.get_num_threads() == cores

    def test_forecasting_models_are_left_to_mlflow(
        self, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "pytorch_forecasting.py").write_text("import torch\nclass Net(torch.nn.Identity): pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        try:
            model = __import__("pytorch_forecasting").Net()
            placed = shelf.placed(put(shelf, "torch-forecast", model, signature(DOUBLES, positions("float"))))
            with pytest.raises(ModelError, match="pytorch_forecasting") as caught:
                placed.scorer()
        finally:
            del sys.modules["pytorch_forecasting"]
        assert "pyfunc" in caught.value.do


def test_more_than_one_tensor_is_an_error(shelf: Shelf) -> None:
    uri = put(shelf, "torch-two", torch.nn.LSTM(20, 2), signature(DOUBLES, positions("float")))
    with pytest.raises(PredictError, match="returned a tuple instead of one tensor"):
        shelf.placed(uri).scorer()(TWENTY)
