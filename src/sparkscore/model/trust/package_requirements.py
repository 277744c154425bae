"""Compares the packages that a model says it needs with those that are installed. Installs nothing."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from sparkscore.errors import ModelError

_MAX_BYTES = 1 << 20
_SAME_MODULE: Mapping[str, tuple[str, ...]] = {
    "mlflow": ("mlflow-skinny",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml"),
    "onnxruntime-gpu": ("onnxruntime",),
    "psycopg2": ("psycopg2-binary",),
    "tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "xgboost": ("xgboost-cpu",),
}
"""Packages that bring the same modules as another."""
_UNUSED: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("mlflow", "mlflow-skinny"),
    "onnx": ("mlflow", "mlflow-skinny", "onnx"),
    "torch": ("mlflow", "mlflow-skinny"),
}
"""Per runtime what it does without, though MLflow needs it to load the model."""


def find_requirement_mismatches(folder: str | Path, runtime: str) -> tuple[str, ...]:
    """What of a model's requirements.txt this process's packages do not meet, one text for each package.

    Nothing where the package `packaging` is not installed: MLflow brings it.

    Runs on: driver | executor.
    """
    path = Path(folder, "requirements.txt")
    if not path.is_file() or find_spec("packaging") is None:
        return ()
    with path.open("rb") as file:
        lines = file.read(_MAX_BYTES).decode("utf-8", "replace").splitlines()
    return tuple(text for line in lines for text in _compare_line(line, _UNUSED.get(runtime, ())))


def requirement_mismatch_error(found: Sequence[str], where: str) -> ModelError:
    """What to raise where a model's packages are not installed and that matters."""
    return ModelError(
        f"the model needs other packages than {where} has: {'; '.join(found)}",
        "the versions in its requirements.txt, as model.requirements is refuse",
        "install them, or log the model again with those that are installed",
    )


def _compare_line(line: str, unused: tuple[str, ...]) -> Iterator[str]:
    """Options, paths and URLs are left out: they say nothing about a version."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        needed = Requirement(line.partition(" #")[0].strip())
    except InvalidRequirement:
        return
    name = canonicalize_name(needed.name)
    if name in unused or needed.url or (needed.marker is not None and not needed.marker.evaluate()):
        return
    installed = _find_installed_version(name)
    if installed is None:
        yield f"{name}{needed.specifier} is needed, and not installed"
    elif not needed.specifier.contains(installed, prereleases=True):
        yield f"{name}{needed.specifier} is needed, and {installed} installed"


def _find_installed_version(name: str) -> str | None:
    for one in (name, *_SAME_MODULE.get(name, ())):
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return None
