"""Pins of a run: its model, from the registry or from the copy that an earlier attempt left."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sparkscore.errors import ConfigError, DigestMismatch, ModelNotFound, RegistryUnreachable
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy, resolve_model
from sparkscore.model.registry.model_uri import pinned_model_uri
from sparkscore.model.registry.private_copies import find_private_copy
from sparkscore.model.trust.model_digest import compute_former_digest
from sparkscore.model.trust.model_trust import check_model_origin
from sparkscore.pipelines.shared.endpoint_pinning import resolve_endpoint_model
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinnedModel, Pins
from sparkscore.settings import Settings
from sparkscore.settings.llm_settings import ENDPOINT_SCHEME
from sparkscore.spark.session_kind import shares_files


def choose_copies_folder(attempt: Attempt) -> str:
    """Where private copies of models lie: under a home on this machine, else in a folder of this process.

    What Databricks mounts looks local, and its folders are open to everybody, whatever their mode is set to.
    """
    return find_copies_of_home(attempt) or _temporary_models_folder()


def find_copies_of_home(attempt: Attempt) -> str | None:
    """The folder of private copies under a home on this machine; None where it is elsewhere."""
    home = attempt.settings.home_uri
    if attempt.session is not None and not shares_files(attempt.session):
        return None
    is_mounted = "DATABRICKS_RUNTIME_VERSION" in os.environ and home.startswith(("/dbfs/", "/Volumes/", "/Workspace/"))
    return f"{home}/models" if Path(home).is_absolute() and not is_mounted else None


@cache
def _temporary_models_folder() -> str:
    folder = tempfile.mkdtemp(prefix="sparkscore-models-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def refuse_model_groups(settings: Settings, verb: str) -> None:
    """Refuse one model per group where a verb is about one model.

    Raises:  ConfigError.
    """
    if settings.model.by:
        raise ConfigError(
            f"{verb} takes one model, and model.by names one per group: {settings.model.uri}",
            "the model of one group: models:/<name>@<alias>",
            "give it with --model.uri in a config without model.by",
        )


def resolve_run_model(attempt: Attempt, keep: Pins | None, copies: str) -> PinnedModel:
    """The model that the config names, or that of the pins; from the private copy where the registry lacks that one.

    Raises:  as `resolve_model`.
    """
    if attempt.settings.model.uri.startswith(ENDPOINT_SCHEME):
        return resolve_endpoint_model(attempt, keep, copies)
    settings, standby = attempt.settings, attempt.standby if keep is None else None
    if standby is not None and not standby.asks_registry:
        kept = _restore_kept_model(settings, standby.pins, copies)
        if kept is not None:
            return kept
    uri = settings.model.uri if keep is None else pinned_model_uri(keep.model_name, keep.model_version)
    try:
        return resolve_model(
            uri,
            tracking_uri=settings.tracking_uri,
            runtime=settings.model.runtime,
            params=settings.model.params,
            config=settings.model.config,
            signature=settings.model.signature.to_parts(),
            inputs=settings.model.mapped_inputs,
            copies=copies,
            known_copies=find_copies_of_home(attempt),
            trust=settings.model.trust_policy,
        )
    except (ModelNotFound, RegistryUnreachable) as error:
        spare = standby.pins if standby is not None and isinstance(error, RegistryUnreachable) else keep
        kept = None if spare is None else _restore_kept_model(settings, spare, copies)
        if kept is None:
            raise
        attempt.used_standby = spare is not keep
        attempt.warn(f"the private copy of the pinned model is used: {error.found}")
        return kept


def _restore_kept_model(settings: Settings, keep: Pins, copies: str) -> PinnedModel | None:
    """The model of the pins from the copy that the attempt which pinned it has left; None where there is none."""
    found = find_private_copy(copies, keep.model_digest)
    if found is None:
        return None
    (folder, digest), model, registry = found, settings.model, settings.tracking_uri
    check_model_origin(model.trust_policy, name=keep.model_name, uris=() if registry is None else (registry,))
    copy = PrivateCopy(keep.model_name, keep.model_version, digest, folder)
    return describe_private_copy(
        copy,
        runtime=model.runtime,
        params=model.params,
        config=model.config,
        signature=model.signature.to_parts(),
        inputs=settings.model.mapped_inputs,
        trust=model.trust_policy,
    )


def find_kept_digest(model: PinnedModel, keep: Pins) -> str:
    """The digest by which the pins name the model's files: runs and stages that older versions began keep their names.

    Raises:  DigestMismatch where the pins name other files.
    """
    if keep.model_digest in (model.digest, compute_former_digest(model.path)):
        return keep.model_digest
    raise DigestMismatch(
        f"the files of {model.name} version {model.version} have the digest {model.digest[:12]}",
        f"{keep.model_digest[:12]}, as the previous attempt pinned them",
        "find out who changed them and restore them; --restart takes them as they are",
    )
