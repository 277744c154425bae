"""Lays an environment out as a folder that works wherever it is unpacked."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.environment.environment_request import EnvironmentRequest
from sparkscore.redaction.secret_patterns import shorten_redacted

_ASK_INTERPRETER = """
import json, sys, sysconfig
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "prefix": sys.base_prefix,
}))
"""
_TRY_ENVIRONMENT = """
import sys
import numpy, pandas, pyarrow, sparkscore
from sparkscore.model.runtimes import model_loading
print(sys.prefix)
"""
_LEFT_OUT = (
    "__pycache__",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
)
"""Of a standard library: what no worker imports."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine, without the environment around it."""

    version: str
    executable: str
    prefix: str

    @property
    def minor(self) -> str:
        """3.11 of 3.11.2: what compiled packages are for."""
        return ".".join(self.version.split(".")[:2])


def describe_interpreter(python: str) -> Interpreter:
    """What `python` is.

    Raises:  ConfigError where it cannot be started.
    """
    try:
        asked = subprocess.run(  # noqa: S603  the operator's own interpreter
            [python, "-I", "-c", _ASK_INTERPRETER], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
        return Interpreter(**json.loads(asked.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        raise ConfigError(f"{python} is no Python that runs here", "the path of one", "check --python") from error


def create_environment_folder(folder: Path, interpreter: Interpreter, request: EnvironmentRequest) -> Path:
    """The folder with its Python; where packages go into it.

    Raises:  ConfigError where the interpreter is to be packed and only works where it is.
    """
    packages = folder / "lib" / f"python{interpreter.minor}" / "site-packages"
    if request.carries_python:
        _copy_interpreter(folder, interpreter)
    else:
        _link_interpreter(folder, interpreter, request.node_python or interpreter.executable)
    packages.mkdir(parents=True, exist_ok=True)
    return packages


def add_own_package(packages: Path) -> None:
    """Copy this package to the others: its modules, none of the libraries that only a driver needs.

    Raises:  ConfigError where it is imported from an archive.
    """
    spec = find_spec("sparkscore")
    source = None if spec is None or spec.origin is None else Path(spec.origin).parent
    if source is None or not source.is_dir():
        raise ConfigError(
            "sparkscore is imported from an archive", "an installed package", "pip install sparkscore, and pack there"
        )
    shutil.copytree(source, packages / "sparkscore", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


def remove_scripts(packages: Path) -> None:
    """Remove the commands that packages bring: they name the interpreter of this machine, and workers run none."""
    shutil.rmtree(packages / "bin", ignore_errors=True)


def try_environment(folder: Path) -> None:
    """Import in the new environment what a Python worker imports, isolated from this one.

    Needs:   an environment for this machine's platform, whose Python is where nodes have theirs.
    Raises:  ModelError where it does not work.
    """
    python = folder / "bin" / "python"
    tried = subprocess.run(  # noqa: S603  what was just packed
        [str(python), "-I", "-B", "-c", _TRY_ENVIRONMENT], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0 or Path(tried.stdout.strip()).resolve() != folder.resolve():
        said = tried.stderr.strip().splitlines()[-1:] or [f"its prefix is {tried.stdout.strip()}"]
        raise ModelError(
            f"the packed environment does not work: {shorten_redacted(said[0], 300)}",
            "a Python that imports numpy, pandas, pyarrow and this package",
            "check the versions that the lock names; with --with-python use a Python that can be moved, such as those"
            " that uv installs",
        )


def _link_interpreter(folder: Path, interpreter: Interpreter, node_python: str) -> None:
    """As the module venv does it: a link to the nodes' own Python, and a file that tells it that this is a place of its
    own. The packages are found from the link's place, wherever that is."""
    (folder / "bin").mkdir(parents=True)
    for name in _python_names(interpreter):
        (folder / "bin" / name).symlink_to(node_python if name == "python" else "python")
    home = Path(node_python).parent
    (folder / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\nversion = {interpreter.version}\n", encoding="utf-8"
    )


def _copy_interpreter(folder: Path, interpreter: Interpreter) -> None:
    prefix = Path(interpreter.prefix)
    library = prefix / "lib" / f"python{interpreter.minor}"
    if prefix == Path("/usr") or not (library / "os.py").is_file():
        raise ConfigError(
            f"the Python of {prefix} cannot be moved: it is part of its system",
            "one that stands by itself, such as those that uv, pyenv or conda install",
            "name one with --python, or leave --with-python out: the nodes then need the same Python at"
            f" {interpreter.executable}",
        )
    (folder / "bin").mkdir(parents=True)
    for name in _python_names(interpreter):
        if name == "python":
            shutil.copy2(Path(interpreter.executable).resolve(), folder / "bin" / name)
        else:
            (folder / "bin" / name).symlink_to("python")
    shutil.copytree(library, folder / "lib" / library.name, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    for shared in sorted((prefix / "lib").glob("libpython*.so*")):
        shutil.copy2(shared, folder / "lib" / shared.name, follow_symlinks=False)


def _python_names(interpreter: Interpreter) -> Sequence[str]:
    return ("python", "python3", f"python{interpreter.minor}")
