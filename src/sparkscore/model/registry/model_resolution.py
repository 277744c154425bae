"""Resolves a model once. What a registry's client imports is imported when it is first needed: of MLflow two seconds.

Asked through clients of their own, so that the process's global tracking URI stays what it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkscore.model.registry.copy_origin import describe_origin
from sparkscore.model.registry.logged_models import unregistered_warning
from sparkscore.model.registry.model_registry import ModelEntry, ModelRegistry
from sparkscore.model.registry.model_uri import LoggedModelUri, parse_model_uri
from sparkscore.model.registry.private_copies import fetch_private_copy, find_known_copy
from sparkscore.model.registry.registry_choice import open_model_registry
from sparkscore.model.registry.sqlite_registry import find_sqlite_alias
from sparkscore.model.runtimes.runtime_selection import check_model_config, check_onnx_signature, choose_runtime
from sparkscore.model.signature.declared_signature import declare_signature, refuse_missing_signature
from sparkscore.model.signature.known_params import keep_known_params
from sparkscore.model.signature.mlflow_signature import Signature, merge_tensor_inputs, read_mlflow_signature
from sparkscore.model.signature.signature_check import check_model_params
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_trust import check_model_digest, check_model_origin, judge_model
from sparkscore.records import WARNING_POLICY, PinnedModel, RequestedResult, TrustPolicy


def resolve_model(  # noqa: PLR0913 -- a config's wishes, each a plain value
    uri: str,
    *,
    tracking_uri: str | None,
    runtime: str,
    params: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    signature: Mapping[str, str] | None = None,
    copies: str,
    known_copies: str | None = None,
    inputs: Mapping[str, str] | None = None,
    trust: TrustPolicy = WARNING_POLICY,
    request: RequestedResult | None = None,
) -> PinnedModel:
    """The model that the URI names now: an alias is resolved once, the files go to `<copies>/<digest>` and are judged.

    Needs:   `inputs`, model input -> source column, where one column may bring a whole tensor (`merge_tensor_inputs`);
             `known_copies`, another folder of copies: one from there is taken as it is, and nothing goes to `copies`;
             `request`, for a caller who takes models without a signature.
    Adds:    a warning where no registry names the model: its URI is the name, MLflow's id of it the version.
    Runs on: driver.
    Raises:  ConfigError for the URI; ModelNotFound; ModelError and SignatureError for what the files say; TrustRefused
             for what `trust` does not allow; AccessDenied; RegistryUnreachable after bounded retries.
    """
    model_uri = parse_model_uri(uri)
    registry = open_model_registry(model_uri, tracking_uri)
    check_model_origin(trust, name=model_uri.name, uris=registry.uris)
    entry = registry.find_entry(model_uri)
    folder, digest = fetch_version(registry, entry, copies, known_copies)
    copy = PrivateCopy(entry.name, entry.version, digest, folder)
    model = describe_private_copy(
        copy,
        runtime=runtime,
        params=params,
        config=config,
        signature=signature,
        inputs=inputs,
        trust=trust,
        request=request,
    )
    if isinstance(model_uri, LoggedModelUri):
        return replace(model, warnings=(unregistered_warning(model_uri), *model.warnings))
    return model


def fetch_version(
    registry: ModelRegistry, entry: ModelEntry, copies: str, known_copies: str | None
) -> tuple[Path, str]:
    """The private copy of a model version, and its digest."""
    origin = describe_origin(registry, entry)  # before the files are read: what changes later shows next time
    known = None if origin is None or known_copies in (None, copies) else find_known_copy(str(known_copies), origin)
    return known or fetch_private_copy(lambda directory: registry.download_files(entry, directory), copies, origin)


@dataclass(frozen=True, slots=True)
class PrivateCopy:
    """The files of a model version, whose digest has been computed."""

    name: str
    version: str
    digest: str
    folder: Path


def describe_private_copy(  # noqa: PLR0913 -- a config's wishes, each a plain value
    copy: PrivateCopy,
    *,
    runtime: str,
    params: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    signature: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    trust: TrustPolicy = WARNING_POLICY,
    request: RequestedResult | None = None,
) -> PinnedModel:
    """The model that a private copy holds, judged by its files. Asks no registry.

    `signature`: the sides that the config gives, as MLflow's JSON.

    Runs on: driver.
    Raises:  ModelError and SignatureError for what the files say; TrustRefused for what `trust` does not allow.
    """
    check_model_origin(trust, name=copy.name, uris=())
    check_model_digest(trust, copy.digest)
    described = read_mlmodel(copy.folder, trust)
    warnings = judge_model(copy.folder, trust, described)
    mlmodel = declare_signature(described, signature)
    if request is None:
        refuse_missing_signature(mlmodel, copy.folder)
    resolved = _resolve_signature(mlmodel, inputs or {}, request)
    if request is not None:
        params, ignored = keep_known_params(resolved, params)
        warnings = (*warnings, *ignored)
    check_model_params(resolved, params)
    check_model_config(mlmodel, config or {})
    selected = choose_runtime(
        runtime, mlmodel, {**params, **(config or {})}, copy.folder, is_signed=not resolved.parts.is_requested
    )
    if selected == "onnx":
        check_onnx_signature(mlmodel, resolved, copy.folder)
    return PinnedModel(
        name=copy.name,
        version=copy.version,
        model_id=str(mlmodel.get("model_id") or ""),
        digest=copy.digest,
        path=str(copy.folder),
        runtime=selected,
        inputs=resolved.inputs,
        tensor=resolved.tensor,
        output=resolved.output,
        config=json.dumps(config, sort_keys=True) if config else None,
        parts=resolved.parts,
        declared=signature or None,
        trust=trust,
        warnings=warnings,
        described=described,
    )


def look_up_model_version(uri: str, tracking_uri: str | None) -> str:
    """The version that the URI names now. Downloads nothing.

    Runs on: driver.
    Raises:  ConfigError, ModelNotFound, AccessDenied, RegistryUnreachable.
    """
    model_uri = parse_model_uri(uri)
    if isinstance(model_uri, LoggedModelUri):
        return model_uri.model_id or open_model_registry(model_uri, tracking_uri).find_entry(model_uri).version
    if model_uri.alias is None:
        return str(int(str(model_uri.version)))
    found = None if model_uri.is_vertex else find_sqlite_alias(tracking_uri, model_uri.name, model_uri.alias)
    return found or open_model_registry(model_uri, tracking_uri).find_version(model_uri)


def _resolve_signature(
    mlmodel: Mapping[str, Any], inputs: Mapping[str, str], request: RequestedResult | None
) -> Signature:
    signature = read_mlflow_signature(mlmodel, request)
    return replace(signature, inputs=merge_tensor_inputs(signature.inputs, inputs)) if signature.tensor else signature
