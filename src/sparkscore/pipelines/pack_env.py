"""Packs the environment that a job's model needs: locked, hash checked, one archive. Starts no Spark."""

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.model.environment.environment_archive import write_archive, write_lock_file
from sparkscore.model.environment.environment_folder import (
    Interpreter,
    add_own_package,
    create_environment_folder,
    describe_interpreter,
    remove_scripts,
    try_environment,
)
from sparkscore.model.environment.environment_request import (
    WORKER_REQUIREMENTS,
    EnvironmentRequest,
    select_model_requirements,
)
from sparkscore.model.environment.package_tools import PackageTool, find_package_tool
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.trust.installed_packages import InstalledPackages, read_marker_values
from sparkscore.model.trust.package_requirements import (
    compare_requirements,
    find_logged_python,
    read_requirement_lines,
)
from sparkscore.pipelines.shared.model_pinning import refuse_model_groups
from sparkscore.records import PackedEnvironment, PinnedModel
from sparkscore.settings import Settings

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PackedFiles:
    """Where the results go."""

    archive: Path
    lock: Path


def pack_env(
    settings: Settings | None, request: EnvironmentRequest, files: PackedFiles, *, dry_run: bool = False
) -> PackedEnvironment:
    """Lock and pack what the model and Spark's Python workers need.

    `request`: with requirements, these are taken in the place of the model's; `settings` may be None then. A lock that
    is there is used as it is. A dry run resolves the packages and writes nothing.

    Runs on: driver; needs no session.
    Raises:  ModelError where a package cannot be had, is another than the lock says, or does not work; ConfigError for
             a lock that does not meet the requirements; what `resolve_model` raises. Nothing is half written.
    """
    with tempfile.TemporaryDirectory(prefix="sparkscore-pack-") as workplace:
        model = None
        if settings is not None and not request.requirements:
            model = _resolve_job_model(settings, f"{workplace}/models")
        request = _complete_request(request, model)
        interpreter, tool = describe_interpreter(request.python), find_package_tool(request.python)
        text, is_new = _read_or_resolve_lock(tool, request, files.lock, interpreter)
        packed = PackedEnvironment(
            model=None if model is None else f"{model.name} version {model.version}",
            python=interpreter.version,
            node_python=None if request.carries_python else request.node_python or interpreter.executable,
            tool=tool.name,
            packages=parse_lock(text),
            lock=str(files.lock),
            lock_is_new=is_new,
            archive=None,
            bytes=None,
            sha256=None,
            warnings=_warn_of_other_python(model, interpreter),
        )
        if dry_run:
            return packed
        folder = _fill_folder(Path(workplace), tool, request, interpreter, text)
        digest = write_archive(folder, files.archive)
        if is_new:
            write_lock_file(files.lock, text)
    return _tell_archive(packed, files.archive, digest)


def parse_lock(text: str) -> dict[str, str]:
    """Version by name of what a lock pins."""
    return {match["name"].lower(): match["version"] for match in _PIN.finditer(text)}


def _resolve_job_model(settings: Settings, copies: str) -> PinnedModel:
    refuse_model_groups(settings, "pack-env")
    return resolve_model(
        settings.model.uri,
        tracking_uri=settings.tracking_uri,
        runtime=settings.model.runtime,
        params=settings.model.params,
        inputs=settings.model.mapped_inputs,
        copies=copies,
        known_copies=f"{settings.home_uri}/models" if Path(settings.home_uri).is_absolute() else None,
        trust=settings.model.trust_policy,
    )


def _complete_request(request: EnvironmentRequest, model: PinnedModel | None) -> EnvironmentRequest:
    own = request.requirements if model is None else select_model_requirements(read_requirement_lines(model.path))
    return replace(request, requirements=(*own, *WORKER_REQUIREMENTS))


def _read_or_resolve_lock(
    tool: PackageTool, request: EnvironmentRequest, file: Path, interpreter: Interpreter
) -> tuple[str, bool]:
    """The lock, and whether it is new."""
    if not file.is_file():
        return _lock_header(request, interpreter) + tool.resolve_pins(request), True
    text = file.read_text(encoding="utf-8")
    markers = read_marker_values() | {"python_version": interpreter.minor, "python_full_version": interpreter.version}
    pinned = InstalledPackages({_normalise(name): one for name, one in parse_lock(text).items()}, markers)
    wrong = compare_requirements(request.requirements, "pyfunc", pinned)
    if wrong:
        found = "; ".join(wrong).replace("installed", "locked")
        raise ConfigError(
            f"the lock {file} is not of these requirements: {found}",
            "a lock that meets them",
            "remove it, and a new one is written; or name another with --lock",
        )
    return text, False


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lock_header(request: EnvironmentRequest, interpreter: Interpreter) -> str:
    where = "this machine's platform" if request.platform is None else next(request.platform.wheel_names)
    return f"# sparkscore pack_env: Python {interpreter.minor}, {where}\n"


def _warn_of_other_python(model: PinnedModel | None, interpreter: Interpreter) -> tuple[str, ...]:
    logged = None if model is None else find_logged_python(model.path)
    if logged in (None, interpreter.minor):
        return ()
    return (
        f"the model was logged with Python {logged}, and this environment has {interpreter.minor}; Spark wants"
        " the driver's in its workers",
    )


def _fill_folder(
    workplace: Path, tool: PackageTool, request: EnvironmentRequest, interpreter: Interpreter, lock: str
) -> Path:
    folder, file = workplace / "environment", workplace / "lock.txt"
    packages = create_environment_folder(folder, interpreter, request)
    file.write_text(lock, encoding="utf-8")
    tool.install_pins(request, file, packages)
    remove_scripts(packages)
    add_own_package(packages)
    if request.platform is None and request.node_python is None:
        try_environment(folder)
    return folder


def _tell_archive(packed: PackedEnvironment, archive: Path, digest: str) -> PackedEnvironment:
    return replace(packed, archive=str(archive), bytes=archive.stat().st_size, sha256=digest)
