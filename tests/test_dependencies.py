"""What an installation without extras has: every import that it needs, and no import that it does not."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "sparkscore"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {
    "delta-spark": "delta",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "vl-convert-python": "vl_convert",
}
BROUGHT = {"pyspark": {"py4j"}, "pydantic": {"pydantic_core"}}
"""Modules of packages that a declared one cannot do without, and whose objects it hands out."""
ALLOWED_EXTRAS = {"demo": ["demo"], "monitor/report": ["report"], "": ["spark"]}
"""Extras that the modules of a folder may import; the demo's is named by its error, as the report's is."""


def declared_modules(*extras: str) -> set[str]:
    declared = [*PROJECT["dependencies"], *(line for name in extras for line in PROJECT["optional-dependencies"][name])]
    names = [re.split(r"[<>=\[;]", line, maxsplit=1)[0].strip() for line in declared]
    modules = {MODULES.get(name, name.replace("-", "_")) for name in names}
    return modules.union(*(BROUGHT.get(module, set()) for module in modules))


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_import_is_of_a_declared_dependency() -> None:
    for file in SOURCES.rglob("*.py"):
        place = file.relative_to(SOURCES).as_posix()
        extras = [name for folder, names in ALLOWED_EXTRAS.items() if place.startswith(folder) for name in names]
        known = declared_modules(*extras) | sys.stdlib_module_names | {"sparkscore"}
        assert set(imported_modules(file)) - known == set(), place


@pytest.mark.parametrize("verb_module", ["sparkscore.cli.main", "sparkscore.pipelines.score"])
def test_neither_the_command_line_nor_the_scoring_job_imports_what_may_be_absent(verb_module: str) -> None:
    absent = "{'great_expectations', 'altair', 'vl_convert', 'onnxruntime', 'onnx', 'torch', 'sklearn', 'mlflow'}"
    code = f"import sys, {verb_module}; print(sorted({absent} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["pyspark", "delta"])
def test_without_spark_the_command_line_names_its_extra_and_ends_2(module: str) -> None:
    argv = ["runs", "--config", "conf/quickstart.yaml"]
    code = (
        f"import sys; sys.modules[{module!r}] = None; from sparkscore.cli.main import run_console; run_console({argv})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert 'pip install "sparkscore[spark]"' in done.stderr


def test_without_spark_a_public_name_names_its_extra() -> None:
    code = "import sys; sys.modules['pyspark'] = None; import sparkscore; sparkscore.score"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError" in done.stderr
    assert 'pip install "sparkscore[spark]"' in done.stderr
