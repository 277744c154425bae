"""A runtime whose library an executor lacks."""

import sys
from pathlib import Path

import pytest

from sparkscore.errors import PredictError
from sparkscore.model.distribution.shipped_model import OnnxFile
from sparkscore.model.runtimes.onnx.onnx_runtime import open_onnx_session
from sparkscore.model.runtimes.pyfunc_runtime import import_runtime_library


def test_without_onnxruntime_the_extras_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PredictError, match="onnxruntime is not installed") as caught:
        open_onnx_session(tmp_path / "model.onnx", OnnxFile("model.onnx", (None,)), cores=1, device=None)
    assert '"sparkscore[onnx]"' in caught.value.do
    assert '"sparkscore[gpu]"' in caught.value.do


def test_a_library_that_lacks_one_of_its_own_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_broken_runtime.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        import_runtime_library("a_broken_runtime", install="install it")
