import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel, SklearnFile, TorchFile
from sparkscore.model.host import process_sharing
from sparkscore.model.host.process_sharing import (
    can_load_here,
    can_share_process,
    find_imported_modules,
    list_model_modules,
    record_tenant,
    refuse_imported_modules,
)

PYFUNC = ShippedModel("a" * 64, "a.zip", "pyfunc", (), tensor=False, output=pa.float64())
ONNX = replace(PYFUNC, runtime="onnx", file=OnnxFile("model.onnx", (None,)))
SKOPS = replace(PYFUNC, digest="b" * 64, runtime="sklearn", file=SklearnFile("model.skops", "skops", None, "predict"))
OTHER = replace(PYFUNC, digest="c" * 64)


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_sharing, "_tenants", [])


class TestSharing:
    @pytest.mark.parametrize("model", [ONNX, replace(ONNX, file=OnnxFile("m", (None,), optimisation=1)), SKOPS])
    def test_models_that_are_data_alone_can(self, model: ShippedModel) -> None:
        assert can_share_process(model)

    @pytest.mark.parametrize(
        "model",
        [
            PYFUNC,
            replace(ONNX, file=OnnxFile("m", (None,), config=(("session.set_denormal_as_zero", "1"),))),
            replace(SKOPS, file=SklearnFile("m", "skops", ("a.B",), "predict")),
            replace(SKOPS, file=SklearnFile("m", "pickle", None, "predict")),
            replace(SKOPS, file=SklearnFile("m", "cloudpickle", None, "predict")),
            replace(PYFUNC, runtime="torch", file=TorchFile("m", "pickle")),
            replace(PYFUNC, runtime="torch", file=TorchFile("m", "pt2")),
        ],
    )
    def test_all_others_cannot(self, model: ShippedModel) -> None:
        assert not can_share_process(model)


class TestProcess:
    def test_one_that_has_loaded_nothing_admits_any_model(self) -> None:
        assert all(map(can_load_here, (PYFUNC, ONNX, SKOPS)))

    def test_a_model_that_may_bring_code_stays_alone(self) -> None:
        record_tenant(PYFUNC)
        assert [can_load_here(model) for model in (PYFUNC, OTHER, ONNX, SKOPS)] == [True, False, False, False]

    def test_models_that_bring_none_keep_those_out_that_may(self) -> None:
        record_tenant(ONNX)
        assert [can_load_here(model) for model in (PYFUNC, ONNX, SKOPS)] == [False, True, True]

    def test_how_a_model_is_watched_makes_no_other_and_what_it_is_given_does(self) -> None:
        record_tenant(PYFUNC)
        assert can_load_here(replace(PYFUNC, sensitive=True, batch_timeout=1.0))
        assert not can_load_here(replace(PYFUNC, params=(("n", 1),)))

    def test_one_that_has_imported_a_module_of_that_name_does_not_admit_the_model(self) -> None:
        assert can_load_here(replace(PYFUNC, code=("nobody_has_this",)))
        assert not can_load_here(replace(PYFUNC, code=("nobody_has_this", "json")))


def flavors(**code: str) -> Mapping[str, Any]:
    return {
        "flavors": {name: {"code": folder} for name, folder in code.items()} | {"plain": {}, "none": {"code": None}}
    }


class TestModulesBrought:
    def test_are_files_packages_and_what_is_in_folders_that_python_merges(self, tmp_path: Path) -> None:
        for path in ("one.py", "fast.so", "pack/__init__.py", "pack/inner.py", "shared/deep/two.py", "shared/three.py"):
            (tmp_path / "code" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "code" / path).touch()
        for path in ("__init__.py", "__main__.py", "data.csv", "not-a-name.py", "pack/__pycache__/x.pyc"):
            (tmp_path / "code" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "code" / path).touch()
        found = list_model_modules(flavors(python_function="code"), tmp_path)
        assert found == ("fast", "one", "pack", "shared.deep.two", "shared.three")

    def test_of_every_flavour(self, tmp_path: Path) -> None:
        for folder in ("code", "more"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / f"of_{folder}.py").touch()
        assert list_model_modules(flavors(a="code", b="more", c="code", d="gone"), tmp_path) == ("of_code", "of_more")

    def test_a_model_without_code_brings_none(self, tmp_path: Path) -> None:
        assert list_model_modules(flavors(), tmp_path) == ()


class TestImported:
    def test_a_models_own_module_that_it_has_imported_before_is_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own, other = ModuleType("own_of_a_test"), ModuleType("other_of_a_test")
        own.__file__, other.__file__ = str(tmp_path / "code" / "own_of_a_test.py"), "/elsewhere/other_of_a_test.py"
        for module in (own, other):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        names = (own.__name__, other.__name__)
        assert find_imported_modules(names) == [*names]
        assert find_imported_modules(names, outside=tmp_path) == [other.__name__]
        refuse_imported_modules(names[:1], tmp_path)

    def test_others_are_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="brings the modules json, sys in its code_paths"):
            refuse_imported_modules(("json", "sys"), tmp_path)
