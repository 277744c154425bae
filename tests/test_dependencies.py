"""`pip install sparkscore` brings what its modules import; what an extra brings is imported only where it is used."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from sparkscore.cli.missing_extras import EXTRA_OF_MODULE, name_missing_extra
from sparkscore.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "sparkscore"
HOMES_OF_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "spark": ("",),
    "connect": ("spark/",),
    "onnx": (
        *("model/runtimes/", "model/optimise/", "model/signature/class_labels.py"),
        *("workloads/images/", "workloads/embeddings/"),
    ),
    "gpu": ("model/runtimes/", "model/optimise/", "workloads/images/", "workloads/embeddings/"),
    "embeddings": ("workloads/embeddings/",),
    "forecasts": ("workloads/forecasts/",),
    "reasons": ("workloads/reasons/",),
    "video": ("workloads/images/",),
    "optimize": ("model/optimise/",),
    "lineage": ("monitor/lineage/",),
    "llm": ("workloads/endpoints/",),
    "ui": ("ui/", "cli/ui_verb.py"),
    "vllm": ("workloads/engines/",),
    "demo": ("demo/",),
    "ray": ("engines/",),
    "dask": ("engines/",),
    "init": ("cli/init_verb.py",),
    "vertex": ("model/registry/vertex_registry.py",),
}
"""Where modules of an extra may be imported: folders of the package."""
COMES_WITH = {"pydantic_core": "pydantic", "py4j": "pyspark", "google": "google-cloud-aiplatform"}
"""A part of another package, which pins it."""
BROUGHT_BY_MODELS = {
    *("catboost", "cloudpickle", "lightgbm", "sentence_transformers", "skops", "sklearn", "threadpoolctl", "xgboost"),
}
"""What a model was saved with, in the Python of the executors, or of the process that converts it."""


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(module)), *_]):
                yield module


def _third_party_imports() -> set[tuple[str, str]]:
    """Top-level name and file."""
    ours = {*sys.stdlib_module_names, "sparkscore"}
    return {
        (name, str(file.relative_to(PACKAGE)))
        for file in PACKAGE.rglob("*.py")
        for name in (module.partition(".")[0] for module in _imported_modules(ast.parse(file.read_text())))
        if name not in ours
    }


def _project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _distribution_names(requirements: list[str]) -> set[str]:
    return {_normalize_name(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}


def _normalize_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _providers(module: str) -> set[str]:
    return {_normalize_name(name) for name in _distributions().get(module, [module])}


def _is_allowed(module: str, file: str, declared: set[str]) -> bool:
    if _providers(COMES_WITH.get(module, module)) & declared:
        return True
    if module in BROUGHT_BY_MODELS and file.startswith(
        ("model/runtimes/", "model/optimise/", "workloads/embeddings/", "workloads/reasons/")
    ):
        return True
    extra = EXTRA_OF_MODULE.get(module)
    return extra is not None and file.startswith(HOMES_OF_EXTRAS[extra])


def test_every_import_is_of_a_dependency_or_belongs_to_an_extra() -> None:
    declared = _distribution_names(_project()["dependencies"])
    used = _third_party_imports()
    assert len(used) > 50
    assert sorted((module, file) for module, file in used if not _is_allowed(module, file, declared)) == []


def test_every_dependency_is_imported() -> None:
    used = {name for module, _ in _third_party_imports() for name in _providers(module)}
    assert _distribution_names(_project()["dependencies"]) - used == set()


def test_an_extra_brings_what_its_modules_import() -> None:
    extras = _project()["optional-dependencies"]
    for module, extra in EXTRA_OF_MODULE.items():
        if module not in COMES_WITH:
            assert {module, *_providers(module)} & _distribution_names(extras[extra]), module


def test_importing_every_module_imports_neither_great_expectations_nor_an_optional_extra() -> None:
    code = """
import importlib, pkgutil, sys
import sparkscore
for module in pkgutil.walk_packages(sparkscore.__path__, "sparkscore."):
    if not module.name.startswith("sparkscore.demo"):
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    optional = {module for module, extra in EXTRA_OF_MODULE.items() if extra != "spark"}
    assert set(done.stdout.split()) & {"great_expectations", *optional} == set()


@pytest.mark.parametrize(
    ("module", "extra"), [("pyspark", "spark"), ("delta.tables", "spark"), ("onnx", "onnx"), ("skl2onnx", "optimize")]
)
def test_an_import_that_an_extra_makes_possible_names_it(module: str, extra: str) -> None:
    named = name_missing_extra(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert isinstance(named, ConfigError)
    assert f'pip install "sparkscore[{extra}]"' in named.do


def test_beside_a_platforms_spark_deltas_package_is_installed_by_itself() -> None:
    named = name_missing_extra(ModuleNotFoundError("No module named 'delta'", name="delta"))
    assert isinstance(named, ConfigError)
    assert "pip install --no-deps delta-spark" in named.do


def test_any_other_error_stays_what_it_is() -> None:
    for error in (ValueError("pyspark"), ModuleNotFoundError("No module named 'of_a_user'", name="of_a_user")):
        assert name_missing_extra(error) is error


def test_without_spark_a_verb_ends_as_a_config_error() -> None:
    code = """
import sys
sys.modules["pyspark"] = None
from sparkscore.cli.main import run_verb
sys.exit(run_verb("quickstart", []))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == ConfigError.exit_code
    assert 'pip install "sparkscore[spark]"' in done.stderr


def test_without_spark_a_public_name_names_its_extra() -> None:
    code = "import sys; sys.modules['pyspark'] = None; import sparkscore; sparkscore.score"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError" in done.stderr
    assert 'pip install "sparkscore[spark]"' in done.stderr
