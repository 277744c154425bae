"""The MLflow registry: the only module that asks it. MLflow is imported when it is first needed, two seconds.

Asked through a client of its own, so that the process's global tracking URI stays what it was.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError, ModelNotFound
from sparkscore.model.registry.copy_origin import describe_origin
from sparkscore.model.registry.mlflow_client import (
    Registry,
    call_registry,
    download_model_files,
    locate_model_files,
    open_registry,
)
from sparkscore.model.registry.private_copies import fetch_private_copy, find_known_copy
from sparkscore.model.registry.sqlite_registry import find_sqlite_alias
from sparkscore.model.runtimes.runtime_selection import check_onnx_signature, choose_runtime
from sparkscore.model.signature.mlflow_signature import Signature, merge_tensor_inputs, read_mlflow_signature
from sparkscore.model.signature.signature_check import check_model_params
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_trust import check_model_digest, check_model_origin, judge_model
from sparkscore.model.trust.package_requirements import find_requirement_mismatches, requirement_mismatch_error
from sparkscore.records import WARNING_POLICY, PinnedModel, TrustPolicy

_MODEL_URI = re.compile(r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[^/@:]+)|/(?P<version>[0-9]+))")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A registered model by alias or by version; exactly one of the two is given."""

    name: str
    alias: str | None
    version: str | None


def parse_model_uri(uri: str) -> ModelUri:
    """The parts of `models:/<name>@<alias>` or `models:/<name>/<version>`.

    Raises:  ConfigError.
    """
    match = _MODEL_URI.fullmatch(uri)
    if match is None:
        raise ConfigError(
            f"the model URI {uri!r} has no alias or version",
            "models:/<name>@<alias> or models:/<name>/<version>, the version a number",
            "register the model and name an alias or a version; stages, latest, runs:/ and paths cannot be pinned",
        )
    return ModelUri(**match.groupdict())


def resolve_model(  # noqa: PLR0913 -- a config's wishes, each a plain value
    uri: str,
    *,
    tracking_uri: str | None,
    runtime: str,
    params: Mapping[str, Any],
    copies: str,
    known_copies: str | None = None,
    inputs: Mapping[str, str] | None = None,
    trust: TrustPolicy = WARNING_POLICY,
) -> PinnedModel:
    """The model that the URI names now: an alias is resolved once, the files go to `<copies>/<digest>` and are judged.

    Needs:   `inputs`, model input -> source column, where one column may bring a whole tensor (`merge_tensor_inputs`);
             `known_copies`, another folder of copies: one from there is taken as it is, and nothing goes to `copies`.
    Runs on: driver.
    Raises:  ConfigError for the URI; ModelNotFound; ModelError and SignatureError for what the files say; TrustRefused
             for what `trust` does not allow; AccessDenied; RegistryUnreachable after bounded retries.
    """
    model_uri, registry = parse_model_uri(uri), open_registry(tracking_uri)
    check_model_origin(trust, name=model_uri.name, uris=(registry.uri, registry.client.tracking_uri))
    name, version = model_uri.name, _resolve_registry_version(registry, model_uri)
    entry = call_registry(
        lambda: registry.client.get_model_version(name, version), f"version {version} of the model {name}"
    )
    if entry.status != "READY":
        raise ModelNotFound(
            f"version {version} of {name} is {entry.status}", "READY", "register it again, or name another version"
        )
    folder, digest = _fetch_version(registry, entry, copies, known_copies)
    return describe_private_copy(
        PrivateCopy(name, version, digest, folder), runtime=runtime, params=params, inputs=inputs, trust=trust
    )


def _fetch_version(registry: Registry, entry: Any, copies: str, known_copies: str | None) -> tuple[Path, str]:
    """The private copy of a registry's version, and its digest."""
    name, version = str(entry.name), str(entry.version)
    uri, subject = locate_model_files(registry, name, version), f"the files of {name} version {version}"
    origin = describe_origin(registry, entry, uri)  # before the files are read: what changes later shows next time
    known = None if origin is None or known_copies in (None, copies) else find_known_copy(str(known_copies), origin)
    return known or fetch_private_copy(
        lambda directory: download_model_files(registry, uri, subject, directory), copies, origin
    )


@dataclass(frozen=True, slots=True)
class PrivateCopy:
    """The files of a model version, whose digest has been computed."""

    name: str
    version: str
    digest: str
    folder: Path


def describe_private_copy(
    copy: PrivateCopy,
    *,
    runtime: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
    trust: TrustPolicy = WARNING_POLICY,
) -> PinnedModel:
    """The model that a private copy holds, judged by its files. Asks no registry.

    Runs on: driver.
    Raises:  ModelError and SignatureError for what the files say; TrustRefused for what `trust` does not allow.
    """
    check_model_origin(trust, name=copy.name, uris=())
    check_model_digest(trust, copy.digest)
    mlmodel = read_mlmodel(copy.folder, trust)
    warnings = judge_model(copy.folder, trust, mlmodel)
    signature = _resolve_signature(mlmodel, inputs or {})
    check_model_params(signature, params)
    selected = choose_runtime(runtime, mlmodel, params, copy.folder)
    if selected == "onnx":
        check_onnx_signature(mlmodel, signature, copy.folder)
    return PinnedModel(
        name=copy.name,
        version=copy.version,
        model_id=str(mlmodel.get("model_id") or ""),
        digest=copy.digest,
        path=str(copy.folder),
        runtime=selected,
        inputs=signature.inputs,
        tensor=signature.tensor,
        output=signature.output,
        parts=signature.parts,
        trust=trust,
        warnings=(*warnings, *_check_requirements(str(copy.folder), selected, trust)),
    )


def _check_requirements(folder: str, runtime: str, trust: TrustPolicy) -> tuple[str, ...]:
    """What to warn of where this process's packages are not those that the model needs."""
    found = () if trust.requirements == "ignore" else find_requirement_mismatches(folder, runtime)
    if found and trust.requirements == "refuse":
        raise requirement_mismatch_error(found, "the driver")
    advice = "install them on the driver and the executors, or set model.requirements to ignore"
    return (f"the model was logged with other packages: {'; '.join(found)}; {advice}",) if found else ()


def look_up_model_version(uri: str, tracking_uri: str | None) -> str:
    """The version that the URI names now. Downloads nothing.

    Runs on: driver.
    Raises:  ConfigError, ModelNotFound, AccessDenied, RegistryUnreachable.
    """
    model_uri = parse_model_uri(uri)
    if model_uri.alias is None:
        return str(int(str(model_uri.version)))
    found = find_sqlite_alias(tracking_uri, model_uri.name, model_uri.alias)
    return found or _resolve_registry_version(open_registry(tracking_uri), model_uri)


def _resolve_signature(mlmodel: Mapping[str, Any], inputs: Mapping[str, str]) -> Signature:
    signature = read_mlflow_signature(mlmodel)
    return replace(signature, inputs=merge_tensor_inputs(signature.inputs, inputs)) if signature.tensor else signature


def _resolve_registry_version(registry: Registry, model_uri: ModelUri) -> str:
    """The version itself, or what the alias points to in the one answer that also says which aliases there are."""
    if model_uri.version is not None:
        return str(int(model_uri.version))
    model = call_registry(lambda: registry.client.get_registered_model(model_uri.name), f"the model {model_uri.name}")
    if model_uri.alias not in model.aliases:
        aliases = ", ".join(sorted(model.aliases)) or "none"
        raise ModelNotFound(
            f"no alias {model_uri.alias} on the model {model_uri.name}",
            f"one of its aliases: {aliases}",
            "set the alias in MLflow, or name a version",
        )
    return str(model.aliases[model_uri.alias])
