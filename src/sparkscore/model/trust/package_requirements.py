"""Compares the packages that a model says it needs with those that are installed. Installs nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sparkscore.errors import ModelError
from sparkscore.model.trust.installed_packages import InstalledPackages, read_installed_packages

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MAX_BYTES = 1 << 20
_LOGGED_PYTHON = re.compile(r"^python:\s*['\"]?(?P<minor>3\.\d+)", re.MULTILINE)
_PICKLE_SUFFIXES = frozenset({".cloudpickle", ".joblib", ".pickle", ".pkl", ".pth"})
_UNUSED: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("mlflow", "mlflow-skinny"),
    "onnx": ("mlflow", "mlflow-skinny", "onnx"),
    "torch": ("mlflow", "mlflow-skinny"),
}
"""Per runtime what it does without, though MLflow needs it to load the model."""


def read_requirement_lines(folder: str | Path) -> tuple[str, ...]:
    """The lines of a model's requirements.txt; none where it has no such file.

    Runs on: driver | executor.
    """
    path = Path(folder, "requirements.txt")
    if not path.is_file():
        return ()
    with path.open("rb") as file:
        return tuple(file.read(_MAX_BYTES).decode("utf-8", "replace").splitlines())


def find_logged_python(folder: str | Path) -> str | None:
    """The minor version of the Python that a model was logged with, as 3.11; None where it does not say.

    Runs on: driver.
    """
    path = Path(folder, "python_env.yaml")
    if not path.is_file():
        return None
    with path.open("rb") as file:
        found = _LOGGED_PYTHON.search(file.read(_MAX_BYTES).decode("utf-8", "replace"))
    return None if found is None else found["minor"]


def has_pickles(folder: str | Path) -> bool:
    """Whether a model has files that most often are pickles, by their names: these are made for one Python.

    Runs on: driver.
    """
    return any(path.suffix in _PICKLE_SUFFIXES for path in Path(folder).rglob("*"))


def list_required_packages(lines: Sequence[str], runtime: str) -> tuple[str, ...]:
    """The names of the packages that the lines are about, and that the runtime uses.

    Runs on: driver.
    """
    return tuple(dict.fromkeys(_package_name(one) for one in _parse_requirements(lines, runtime)))


def find_requirement_mismatches(folder: str | Path, runtime: str) -> tuple[str, ...]:
    """What of a model's requirements.txt this process's packages do not meet, one text for each package.

    Nothing where the package `packaging` is not installed: MLflow brings it.

    Runs on: driver | executor.
    """
    lines = read_requirement_lines(folder)
    if not lines or find_spec("packaging") is None:
        return ()
    return compare_requirements(lines, runtime, read_installed_packages(list_required_packages(lines, runtime)))


def compare_requirements(lines: Sequence[str], runtime: str, installed: InstalledPackages) -> tuple[str, ...]:
    """What of these requirements a Python does not meet, one text for each package.

    Needs:   the package `packaging`.
    """
    parsed = _parse_requirements(lines, runtime)
    return tuple(text for one in parsed for text in _compare_requirement(one, installed))


def requirement_mismatch_error(found: Sequence[str], where: str) -> ModelError:
    """What to raise where a model's packages are not installed and that matters."""
    return ModelError(
        f"the model needs other packages than {where} has: {'; '.join(found)}",
        "the versions in its requirements.txt, as model.requirements is refuse",
        "ship them with the job (`sparkscore pack-env` makes the archive), install them on the executors, or log the"
        " model again with those that are installed",
    )


def _parse_requirements(lines: Sequence[str], runtime: str) -> "Iterator[Requirement]":
    """Options, paths and URLs are left out: they say nothing about a version."""
    from packaging.requirements import InvalidRequirement, Requirement

    unused = _UNUSED.get(runtime, ())
    for line in lines:
        try:
            needed = Requirement(line.partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        if not needed.url and _package_name(needed) not in unused:
            yield needed


def _package_name(needed: "Requirement") -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(needed.name))


def _compare_requirement(needed: "Requirement", installed: InstalledPackages) -> Iterator[str]:
    if needed.marker is not None and not needed.marker.evaluate(dict(installed.markers)):
        return
    name = _package_name(needed)
    found = installed.find_version(name)
    if found is None:
        yield f"{name}{needed.specifier} is needed, and not installed"
    elif not needed.specifier.contains(found, prereleases=True):
        yield f"{name}{needed.specifier} is needed, and {found} installed"
