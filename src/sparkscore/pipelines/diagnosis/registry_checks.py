"""Checks of the model: that its registry answers, its alias names a version, and its files may be loaded."""

from dataclasses import dataclass
from tempfile import TemporaryDirectory

from sparkscore.errors import SparkscoreError
from sparkscore.model.trust.package_requirements import read_requirement_lines
from sparkscore.pipelines.diagnosis.clock_checks import check_server_clock
from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.settings import Settings


@dataclass(frozen=True, slots=True)
class FoundModel:
    """What the checks have found, and what the model asks of a Python."""

    checks: tuple[EnvironmentCheck, ...]
    requirements: tuple[str, ...] = ()
    runtime: str = ""


def check_model(settings: Settings) -> FoundModel:
    """The registry, the model that the config names now, and its files; nothing of it is imported, nothing is kept.

    Runs on: driver.
    """
    from sparkscore.model.registry.model_resolution import look_up_model_version, resolve_model

    model = settings.model
    if settings.llm.is_used:
        return FoundModel((EnvironmentCheck("registry", "skip", "the model is behind an endpoint: section llm"),))
    if model.by:
        return FoundModel((EnvironmentCheck("registry", "skip", f"one model per group: {model.uri}; score --dry-run"),))
    try:
        address = settings.tracking_uri
        version = look_up_model_version(model.uri, address)
    except SparkscoreError as error:
        return FoundModel((_failed("registry", error),))
    registry = EnvironmentCheck("registry", "ok", f"{model.uri} is version {version}")
    if model.uri.endswith((f"/{version}", f"@{version}")):
        registry = EnvironmentCheck("registry", "skip", f"{model.uri} names its version: the check of the model asks")
    clock = check_server_clock(address)
    try:
        with TemporaryDirectory(prefix="sparkscore-doctor-") as copies:
            found = resolve_model(
                model.uri,
                tracking_uri=address,
                runtime=model.runtime,
                params=model.params,
                config=model.config,
                signature=model.signature.to_parts(),
                inputs=model.mapped_inputs,
                copies=copies,
                trust=model.trust_policy,
            )
            lines, warnings = read_requirement_lines(found.path), found.warnings
    except SparkscoreError as error:
        return FoundModel((registry, clock, _failed("model", error)))
    shown = f"{found.name} version {found.version}, digest {found.digest[:12]}, runtime {found.runtime}"
    files = EnvironmentCheck("model", "ok", shown)
    if warnings:
        files = EnvironmentCheck(
            "model", "warn", f"{shown}; {'; '.join(warnings)}", "see docs/security.md: model.trust"
        )
    return FoundModel((registry, clock, files), tuple(lines), found.runtime)


def _failed(name: str, error: SparkscoreError) -> EnvironmentCheck:
    return EnvironmentCheck(name, "fail", error.found, error.do)
