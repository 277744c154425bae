from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from sparkscore.model.trust.package_requirements import find_requirement_mismatches

NUMPY = np.__version__
MLFLOW = version("mlflow")


def mismatches(folder: Path, text: str, runtime: str = "pyfunc") -> tuple[str, ...]:
    (folder / "requirements.txt").write_text(text)
    return find_requirement_mismatches(folder, runtime)


@pytest.mark.parametrize(
    "line",
    [
        f"numpy=={NUMPY}",
        f"NumPy >= 1.0  # {NUMPY}",
        "numpy",
        "absent; python_version < '3.0'",
        "absent @ https://example.org/absent.whl",
        "--index-url https://example.org",
        "-r other.txt",
        "./wheels/absent.whl",
        "# absent",
        "",
        f"mlflow-skinny=={MLFLOW}",
    ],
)
def test_what_is_installed_or_says_nothing_of_a_version_is_no_mismatch(tmp_path: Path, line: str) -> None:
    assert mismatches(tmp_path, line) == ()


def test_other_versions_and_absent_packages_are_listed(tmp_path: Path) -> None:
    assert mismatches(tmp_path, "numpy==1.0.1\nabsent-package\n") == (
        f"numpy==1.0.1 is needed, and {NUMPY} installed",
        "absent-package is needed, and not installed",
    )


def test_a_package_that_brings_the_same_module_counts(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    installed = "onnxruntime-gpu" if _has("onnxruntime-gpu") else "onnxruntime"
    other = "onnxruntime" if installed == "onnxruntime-gpu" else "onnxruntime-gpu"
    assert mismatches(tmp_path, f"{other}=={version(installed)}") == ()
    assert len(mismatches(tmp_path, f"{other}==0.1")) == 1


def test_what_the_runtime_does_without_is_left_out(tmp_path: Path) -> None:
    assert len(mismatches(tmp_path, "mlflow==1.0")) == 1
    assert mismatches(tmp_path, "mlflow==1.0\n", "sklearn") == ()
    assert mismatches(tmp_path, "mlflow==1.0\nonnx==0.1\n", "onnx") == ()


def test_a_model_without_a_list_needs_nothing(tmp_path: Path) -> None:
    assert find_requirement_mismatches(tmp_path, "pyfunc") == ()


def _has(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
