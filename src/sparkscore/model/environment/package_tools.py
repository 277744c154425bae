"""Runs what resolves and installs packages: uv where it is on the PATH, else the pip of the interpreter."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.environment.environment_archive import compute_file_digest
from sparkscore.model.environment.environment_request import WORKER_REQUIREMENTS, EnvironmentRequest
from sparkscore.redaction.secret_patterns import shorten_redacted

_MAX_SHOWN = 1200
_HASH_WORDS = ("do not match the hash", "hash mismatch")
_IS_NOT_HAD = "a requirement cannot be had"


class PackageTool(Protocol):
    """Something that resolves and installs packages."""

    @property
    def name(self) -> str:
        """What it is called."""

    def resolve_pins(self, request: EnvironmentRequest) -> str:
        """All packages that the requirements need, each with its version and the hashes that its files may have.

        Raises:  ModelError.
        """

    def install_pins(self, request: EnvironmentRequest, lock: Path, target: Path) -> None:
        """Put the packages of a lock into a folder, each file's hash checked.

        Raises:  ModelError.
        """


def find_package_tool(python: str) -> PackageTool:
    """uv, else pip.

    Raises:  ConfigError where there is neither.
    """
    uv = shutil.which("uv")
    if uv is not None:
        return UvTool(uv)
    if _has_pip(python):
        return PipTool(python)
    raise ConfigError(
        f"there is neither uv on the PATH nor pip in {python}",
        "one of them",
        "pip install uv, or name a Python that has pip with --python",
    )


@dataclass(frozen=True, slots=True)
class UvTool:
    """uv."""

    program: str
    name: str = "uv"

    def resolve_pins(self, request: EnvironmentRequest) -> str:
        """As `PackageTool`."""
        with tempfile.TemporaryDirectory(prefix="sparkscore-lock-") as folder:
            wanted, lock = _write_requirements(request, folder), Path(folder, "lock.txt")
            style = ("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet")
            _run_tool([self.program, "pip", "compile", *style, *self._options(request), "-o", str(lock), str(wanted)])
            return lock.read_text(encoding="utf-8")

    def install_pins(self, request: EnvironmentRequest, lock: Path, target: Path) -> None:
        """As `PackageTool`."""
        style = ("--no-deps", "--require-hashes", "--link-mode", "copy", "--quiet", "--target", str(target))
        _run_tool([self.program, "pip", "install", *style, *self._options(request), "-r", str(lock)])

    def _options(self, request: EnvironmentRequest) -> Iterator[str]:
        yield from ("--python", request.python)
        if request.platform is not None:
            yield from ("--python-platform", request.platform.name_of_uv)
        if not request.allows_builds:
            yield from ("--only-binary", ":all:")


@dataclass(frozen=True, slots=True)
class PipTool:
    """The pip of an interpreter."""

    python: str
    name: str = "pip"

    def resolve_pins(self, request: EnvironmentRequest) -> str:
        """As `PackageTool`."""
        with tempfile.TemporaryDirectory(prefix="sparkscore-lock-") as folder:
            wanted, report = _write_requirements(request, folder), Path(folder, "report.json")
            style = ["--dry-run", "--ignore-installed", "--report", str(report)]
            place = [] if request.platform is None else ["--target", f"{folder}/none"]
            _run_tool([*self._command, *style, *place, *_pip_options(request), "-r", str(wanted)])
            return format_lock(json.loads(report.read_text(encoding="utf-8"))["install"])

    def install_pins(self, request: EnvironmentRequest, lock: Path, target: Path) -> None:
        """As `PackageTool`."""
        style = ("--no-deps", "--require-hashes", "--no-compile", "--target", str(target))
        _run_tool([*self._command, *style, *_pip_options(request), "-r", str(lock)])

    @property
    def _command(self) -> tuple[str, ...]:
        return (self.python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")


def format_lock(installed: Sequence[Any]) -> str:
    """A lock of what pip's report would install.

    Raises:  ModelError for a package that no hash is known of: of a version control, or a folder.
    """
    lines = []
    for one in sorted(installed, key=lambda one: str(one["metadata"]["name"]).lower()):
        name, version = one["metadata"]["name"], one["metadata"]["version"]
        digest = _find_digest(one["download_info"])
        if digest is None:
            raise ModelError(
                f"{name} {version} comes from a place without hashes",
                "packages of an index, or files: each is checked by its hash",
                "build a wheel of it, and put that into the index or a folder of PIP_FIND_LINKS",
            )
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
    return "".join(lines)


def _find_digest(download: Mapping[str, Any]) -> str | None:
    """The sha256 that the index says of a file, or that a file of this machine has."""
    said = download.get("archive_info", {}).get("hashes", {}).get("sha256")
    address = urlsplit(str(download.get("url", "")))
    file = Path(unquote(address.path))
    if said is None and address.scheme == "file" and file.is_file():
        return compute_file_digest(file)
    return None if said is None else str(said)


def _pip_options(request: EnvironmentRequest) -> Iterator[str]:
    if request.platform is not None:
        for name in request.platform.wheel_names:
            yield from ("--platform", name)
    if request.platform is not None or not request.allows_builds:
        yield from ("--only-binary", ":all:")


def _write_requirements(request: EnvironmentRequest, folder: str) -> Path:
    file = Path(folder, "requirements.in")
    file.write_text("\n".join(request.requirements) + "\n", encoding="utf-8")
    return file


def _has_pip(python: str) -> bool:
    asked = subprocess.run(  # noqa: S603  the operator's own interpreter
        [python, "-c", "import pip"], capture_output=True, check=False
    )
    return asked.returncode == 0


def _run_tool(command: Sequence[str]) -> None:
    """Run it to its end.

    Raises:  ModelError with what it said.
    """
    done = subprocess.run(  # noqa: S603  words of ours, files of ours
        list(command), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode == 0:
        return
    said = shorten_redacted(_last_words(done.stderr or done.stdout), _MAX_SHOWN)
    if any(words in said.lower() for words in _HASH_WORDS):
        raise ModelError(
            f"a package is another than the lock says: {said}",
            "files with the hashes of the lock",
            "find out who changed it; remove the lock to resolve anew",
        )
    raise ModelError(
        f"{_IS_NOT_HAD}: {said}",
        "packages of the index that this machine is set up for, with wheels for the nodes' Python and platform; a"
        f" Python worker itself needs {', '.join(WORKER_REQUIREMENTS)}",
        "correct the version with --requirements FILE, name the index (PIP_INDEX_URL, UV_INDEX_URL), or allow builds"
        " of packages without wheels with --build",
    )


def _last_words(text: str) -> str:
    """What a tool said was wrong: pip marks it, uv says little else."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return " ".join(marked or lines[-12:])
