"""States of a home folder that tests begin with: made once per process by the steps that lead to them, then copied.

A step is known by what was done before it and by what it does. A home folder that has seen these steps and nothing else
gets what they have made from a copy, in hundredths of a second; any other home folder does the step itself. Only what a
test begins with comes from here, never what it looks at.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
Files = frozenset[tuple[str, int, int]]

_RESULTS: dict[str, Any] = {}
"""What the step returned to which each layer is due."""


@cache
def layers_folder() -> Path:
    """Where this process keeps layers: a folder for each."""
    folder = Path(tempfile.mkdtemp(prefix="sparkscore-layers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def list_files(home: Path) -> Files:
    """Every file by its path, size and time."""
    found = ((file, file.stat()) for file in home.rglob("*") if file.is_file())
    return frozenset((str(file.relative_to(home)), stat.st_size, stat.st_mtime_ns) for file, stat in found)


@dataclass
class Trail:
    """The steps that one home folder has seen."""

    key: str = ""
    files: Files = field(default_factory=frozenset)

    def follow(self, home: Path, step: str, act: Callable[[], Result]) -> Result:
        """The step done, or its outcome copied: the home folder is the same afterwards."""
        if list_files(home) != self.files:  # something else was done to it
            return act()
        key = hashlib.sha256(f"{self.key} {step}".encode()).hexdigest()
        if key not in _RESULTS:
            _RESULTS[key] = act()
            shutil.copytree(home, layers_folder() / key)
        else:
            home.mkdir(parents=True, exist_ok=True)
            copy_layer(layers_folder() / key, home)
        self.key, self.files = key, list_files(home)
        result: Result = _RESULTS[key]
        return result


def copy_layer(layer: Path, home: Path) -> None:
    """The home folder is as the layer: files that are there with the same time are the same ones."""
    wanted = {name for name, _, _ in list_files(layer)}
    for name in {name for name, _, _ in list_files(home)} - wanted:
        (home / name).unlink()
    for file in layer.rglob("*"):
        copy = home / file.relative_to(layer)
        if file.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif not copy.exists() or copy.stat().st_mtime_ns != file.stat().st_mtime_ns:
            shutil.copy2(file, copy)
