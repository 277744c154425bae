from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkscore.errors import ModelError
from sparkscore.model.trust.mlmodel_file import read_mlmodel, read_wanted_rows
from sparkscore.records import TrustPolicy


def mlmodel(pyfunc: dict[str, Any] | None = None, **sklearn: Any) -> dict[str, Any]:
    function = {"loader_module": "mlflow.sklearn", "model_path": "model.skops", "predict_fn": "predict_proba"}
    flavor = {
        "pickled_model": "model.skops",
        "serialization_format": "skops",
        "skops_trusted_types": None,
        "code": None,
    }
    return {"flavors": {"python_function": function | (pyfunc or {}), "sklearn": flavor | sklearn}}


def written(folder: Path, content: object) -> Path:
    (folder / "MLmodel").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return folder


class TestReading:
    def test_what_mlflow_wrote_is_read(self, tmp_path: Path) -> None:
        assert read_mlmodel(written(tmp_path, mlmodel())) == mlmodel()

    @pytest.mark.parametrize("loader", ["os", "evil", "mlflow", "mlflow.sklearn.evil", "sklearn", None, 7, ["os"]])
    def test_a_foreign_loader_is_refused(self, tmp_path: Path, loader: object) -> None:
        with pytest.raises(ModelError, match="the loader module") as caught:
            read_mlmodel(written(tmp_path, mlmodel({"loader_module": loader})))
        assert "mlflow.pyfunc.PythonModel" in caught.value.do

    @pytest.mark.parametrize("trust", [TrustPolicy(), TrustPolicy(loaders=("mlflow.spark",))])
    def test_a_model_of_spark_ml_is_refused_with_the_reason_and_the_way_out(
        self, tmp_path: Path, trust: TrustPolicy
    ) -> None:
        with pytest.raises(ModelError, match=r"Spark ML \(mlflow\.spark\), which runs in a JVM") as caught:
            read_mlmodel(written(tmp_path, mlmodel({"loader_module": "mlflow.spark"})), trust)
        assert "transform(frame)" in caught.value.do
        assert "ONNX" in caught.value.do
        assert caught.value.exit_code == 4

    def test_a_refused_loader_was_never_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "evil_loader.py").write_text("raise SystemExit('imported')")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModelError):
            read_mlmodel(written(tmp_path, mlmodel({"loader_module": "evil_loader"})))

    @pytest.mark.parametrize("path", ["../model.skops", "/etc/passwd", "a/../../b", "..\\b"])
    @pytest.mark.parametrize("key", ["code", "model_path", "data", "python_model"])
    def test_a_path_out_of_the_folder_is_refused(self, tmp_path: Path, key: str, path: str) -> None:
        with pytest.raises(ModelError, match=f"python_function.{key} .* points outside"):
            read_mlmodel(written(tmp_path, mlmodel({key: path})))

    def test_a_path_of_another_flavour_is_looked_at_too(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"sklearn\.pickled_model"):
            read_mlmodel(written(tmp_path, mlmodel(pickled_model="../other")))

    def test_yaml_that_makes_objects_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="ConstructorError"):
            read_mlmodel(written(tmp_path, "flavors: !!python/object/apply:os.system ['true']"))

    def test_a_key_that_stands_twice_is_refused_with_both_lines(self, tmp_path: Path) -> None:
        text = yaml.safe_dump(mlmodel()) + "flavors: {python_function: {loader_module: evil}}\n"
        with pytest.raises(ModelError, match=r"MLmodel file of the model: flavors stands twice: in lines 1 and 11"):
            read_mlmodel(written(tmp_path, text))

    def test_yaml_that_would_exhaust_the_process_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="nested more than 64 levels"):
            read_mlmodel(written(tmp_path, "flavors: " + "[" * 100_000))

    @pytest.mark.parametrize(
        "content", ["", "[]", "flavors: []", "flavors: {sklearn: {}}", "flavors: {python_function: 1}"]
    )
    def test_a_file_without_the_pyfunc_flavour_is_refused(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(ModelError, match="has no flavour python_function"):
            read_mlmodel(written(tmp_path, content))

    def test_no_file_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="FileNotFoundError"):
            read_mlmodel(tmp_path)


class TestWantedRows:
    @pytest.mark.parametrize(
        "metadata", [None, {}, {"sparkscore": None}, {"sparkscore": {}}, {"sparkscore": {"other": 1}}, {"note": 1}]
    )
    def test_a_model_need_not_name_any(self, metadata: Any) -> None:
        assert read_wanted_rows({"metadata": metadata}) is None

    def test_one_that_does_gets_so_many(self) -> None:
        assert read_wanted_rows({"metadata": {"sparkscore": {"batch_rows": 4096}}}) == 4096

    @pytest.mark.parametrize("rows", [0, -1, True, 1.5, "4096", 10_000_001, [4096]])
    def test_what_is_no_number_of_rows_is_refused_by_name(self, rows: Any) -> None:
        with pytest.raises(ModelError, match=r"the model's metadata says sparkscore\.batch_rows"):
            read_wanted_rows({"metadata": {"sparkscore": {"batch_rows": rows}}})
