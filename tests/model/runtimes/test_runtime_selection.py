from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.distribution.shipped_model import SklearnFile, TorchFile
from sparkscore.model.runtimes.runtime_selection import choose_runtime, describe_runtime_file
from tests.model.trust.test_mlmodel_file import mlmodel

NOWHERE = Path("nowhere")


class TestSklearn:
    def test_auto_takes_sklearn_itself_where_it_can(self) -> None:
        assert choose_runtime("auto", mlmodel(), {}, NOWHERE) == "sklearn"
        assert describe_runtime_file("sklearn", mlmodel(), NOWHERE) == SklearnFile(
            "model.skops", "skops", None, "predict_proba"
        )

    def test_the_models_trusted_types_are_taken_and_nothing_more(self) -> None:
        file = describe_runtime_file("sklearn", mlmodel(skops_trusted_types=["a.B"]), NOWHERE)
        assert isinstance(file, SklearnFile)
        assert file.trusted == ("a.B",)

    def test_another_runtime_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="no runtime 'tensorflow'"):
            choose_runtime("tensorflow", mlmodel(), {}, NOWHERE)

    @pytest.mark.parametrize("runtime", ["onnx", "torch"])
    def test_another_librarys_runtime_is_refused_and_told_why(self, runtime: str) -> None:
        with pytest.raises(ModelError, match=f"runtime {runtime}, but the model is not loaded by mlflow") as caught:
            choose_runtime(runtime, mlmodel(), {}, NOWHERE)
        assert (caught.value.exit_code, caught.value.do) == (4, "set model.runtime to auto or pyfunc")

    def test_pyfunc_is_what_was_asked_for(self) -> None:
        assert choose_runtime("pyfunc", mlmodel(), {}, NOWHERE) == "pyfunc"

    @pytest.mark.parametrize(
        ("said", "params", "reason"),
        [
            (mlmodel({"loader_module": "mlflow.pyfunc.model"}), {}, "not loaded by mlflow.sklearn"),
            ({"flavors": {"python_function": {"loader_module": "mlflow.sklearn"}}}, {}, "not loaded by mlflow.sklearn"),
            (mlmodel(), {"n": 1}, "params are given"),
            (mlmodel({"code": "code"}), {}, "code of its own"),
            (mlmodel(code="code"), {}, "code of its own"),
            (mlmodel(serialization_format="joblib"), {}, "saved as joblib"),
            (mlmodel(serialization_format=None), {}, "saved as None"),
            (mlmodel({"predict_fn": "score"}), {}, "predict_fn is score"),
        ],
    )
    def test_anything_else_goes_through_mlflow(self, said: dict[str, Any], params: dict[str, Any], reason: str) -> None:
        assert choose_runtime("auto", said, params, NOWHERE) == "pyfunc"
        with pytest.raises(ModelError, match=reason):
            choose_runtime("sklearn", said, params, NOWHERE)


def torch_model(folder: Path, *, file: str = "model.pth", pickled_by: str = "pickle", **pyfunc: Any) -> dict[str, Any]:
    """What mlflow.pytorch writes."""
    (folder / "data").mkdir()
    (folder / "data" / file).touch()
    (folder / "data" / "pickle_module_info.txt").write_text(pickled_by)
    function = {"loader_module": "mlflow.pytorch", "data": "data"} | pyfunc
    signature = {"inputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]'}
    return {"flavors": {"python_function": function, "pytorch": {"model_data": "data"}}, "signature": signature}


class TestTorch:
    @pytest.mark.parametrize("pickled_by", ["pickle", "cloudpickle", "mlflow.pytorch.pickle_module"])
    def test_auto_takes_torch_itself_where_it_can(self, tmp_path: Path, pickled_by: str) -> None:
        said = torch_model(tmp_path, pickled_by=pickled_by)
        assert choose_runtime("auto", said, {}, tmp_path) == choose_runtime("torch", said, {}, tmp_path) == "torch"
        assert describe_runtime_file("torch", said, tmp_path) == TorchFile("data", "pickle")

    def test_an_exported_module_is_told_apart(self, tmp_path: Path) -> None:
        said = torch_model(tmp_path, file="model.pt2")
        assert choose_runtime("auto", said, {}, tmp_path) == "torch"
        assert describe_runtime_file("torch", said, tmp_path) == TorchFile("data", "pt2")

    @pytest.mark.parametrize(
        ("parts", "params", "reason"),
        [
            ({"pickled_by": "dill"}, {}, "it was pickled by dill"),
            ({"file": "other"}, {}, "neither model.pth nor model.pt2"),
            ({"code": "code"}, {}, "code of its own"),
            ({}, {"n": 1}, "params are given"),
        ],
    )
    def test_anything_else_goes_through_mlflow(
        self, tmp_path: Path, parts: dict[str, Any], params: dict[str, Any], reason: str
    ) -> None:
        said = torch_model(tmp_path, **parts)
        assert choose_runtime("auto", said, params, tmp_path) == "pyfunc"
        with pytest.raises(ModelError, match=f"runtime torch, but .*{reason}"):
            choose_runtime("torch", said, params, tmp_path)

    def test_named_tensors_are_not_for_mlflows_flavour(self, tmp_path: Path) -> None:
        said = torch_model(tmp_path)
        said["signature"] = {"inputs": said["signature"]["inputs"].replace("[{", '[{"name": "x", ', 1)}
        with pytest.raises(ModelError, match="names its tensors"):
            choose_runtime("torch", said, {}, tmp_path)
