"""Calls MLflow: few times, and with its failures translated. Holds only that I/O."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential

from sparkscore.errors import (
    AccessDenied,
    ModelError,
    ModelNotFound,
    RegistryUnreachable,
    SparkscoreError,
)
from sparkscore.model.registry.mlflow_failures import translate_mlflow_error
from sparkscore.model.registry.mlflow_settings import (
    limit_mlflow_downloads,
    limit_mlflow_retries,
    suppress_mlflow_output,
)
from sparkscore.model.trust.model_digest import refuse_links
from sparkscore.redaction.known_secrets import register_secret, register_uri_secrets
from sparkscore.redaction.secret_patterns import redact_secrets
from sparkscore.timed_calls import CallTooLong, call_in_time

RegistryAnswer = TypeVar("RegistryAnswer")

_UNITY_CATALOG = "databricks-uc"
_LONGEST_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, and MLflow's client for it."""

    uri: str
    client: Any


def open_registry(tracking_uri: str | None) -> Registry:
    """The registry that belongs to a tracking URI; None takes MLflow's own settings for both.

    Raises:  ModelNotFound for a local database that is not there: MLflow would make an empty one. RegistryUnreachable.
    """
    with suppress_mlflow_output():
        import mlflow
        from mlflow.utils.credentials import read_mlflow_creds

        register_secret(read_mlflow_creds().password)  # a file may hold it
        register_uri_secrets(tracking_uri or mlflow.get_tracking_uri())
        tracking_uri, uri = _choose_uris(tracking_uri)
        _refuse_new_database(uri)
        return Registry(
            uri,
            call_registry(
                lambda: mlflow.MlflowClient(tracking_uri, registry_uri=uri), f"the registry at {redact_secrets(uri)}"
            ),
        )


def _choose_uris(tracking_uri: str | None) -> tuple[str | None, str]:
    """The tracking server, and the registry that belongs to it.

    Of Databricks the registry is Unity Catalog, unless MLflow's own settings name another one.
    """
    import mlflow

    if tracking_uri is None:
        return None, mlflow.get_registry_uri()
    scheme, separator, profile = tracking_uri.partition("://")
    if scheme == _UNITY_CATALOG:  # which has no runs
        return f"databricks{separator}{profile}", tracking_uri
    if scheme == "databricks":
        return tracking_uri, os.environ.get("MLFLOW_REGISTRY_URI") or f"{_UNITY_CATALOG}{separator}{profile}"
    return tracking_uri, tracking_uri


def call_registry(
    request: Callable[[], RegistryAnswer],
    subject: str,
    translate: Callable[[Exception, str], SparkscoreError] | None = None,
    *,
    is_transfer: bool = False,
) -> RegistryAnswer:
    """The registry's answer, after at most three tries and about ten seconds; 30 where it comes drop by drop.

    Needs:   `translate`, for another client than MLflow's: what a failure means. `is_transfer`, for what sends or
             brings files: it takes as long as they are large.
    Raises:  ModelNotFound, AccessDenied, ConfigError, RegistryUnreachable.
    """
    asked = request if is_transfer else partial(_bound_question, request, subject)
    retrying = Retrying(
        retry=retry_if_exception_type(RegistryUnreachable),
        stop=stop_after_attempt(3) | stop_after_delay(10),
        wait=wait_exponential(multiplier=0.25, max=2),
        reraise=True,
    )
    answer: RegistryAnswer = retrying(_call_registry_once, asked, subject, translate or translate_mlflow_error)
    return answer


def _bound_question(request: Callable[[], RegistryAnswer], subject: str) -> RegistryAnswer:
    try:
        return call_in_time(request, seconds=_LONGEST_ANSWER_S, name="sparkscore-registry")
    except CallTooLong as error:
        raise RegistryUnreachable(
            f"no whole answer for {subject} within {_LONGEST_ANSWER_S:g} s",
            "a registry that answers",
            "check model.tracking_uri; run it again",
        ) from error


def _call_registry_once(
    request: Callable[[], RegistryAnswer], subject: str, translate: Callable[[Exception, str], SparkscoreError]
) -> RegistryAnswer:
    with suppress_mlflow_output(), limit_mlflow_retries():
        try:
            return request()
        except SparkscoreError:
            raise
        except Exception as error:
            raise translate(error, subject) from error


def call_mlflow_in_time(request: Callable[[], RegistryAnswer], *, seconds: float) -> RegistryAnswer:
    """The answer of a request that makes several calls, as `call_in_time`.

    Raises:  RegistryUnreachable when the time is over; else what the request raises.
    """
    with suppress_mlflow_output(), limit_mlflow_retries():
        try:
            return call_in_time(request, seconds=seconds, name="sparkscore-mlflow")
        except CallTooLong as error:
            raise RegistryUnreachable(
                f"MLflow has not answered within {seconds:g} s", "a server that answers", "check model.tracking_uri"
            ) from error


def locate_model_files(registry: Registry, name: str, version: str) -> str:
    """The URI of a model version's files.

    Raises:  ModelNotFound, AccessDenied, RegistryUnreachable.
    """
    # Unity Catalog lends credentials for the files, which only MLflow's own way for models:/ asks for
    if registry.uri.startswith(("databricks", "uc:")):
        return f"models:/{name}/{version}"
    uri: str = call_registry(
        lambda: _registry_calls(registry).get_model_version_download_uri(name, version),
        f"the files of {name} version {version}",
    )
    return uri


def _registry_calls(registry: Registry) -> Any:
    """MLflow's client below `MlflowClient`, which asks for the whole model each time, to see that it is no prompt."""
    inner = getattr(registry.client, "_get_registry_client", None)
    return registry.client if inner is None else inner()


def download_model_files(registry: Registry, uri: str, subject: str, directory: Path) -> Path:
    """The folder in which a model version's files now lie, inside `directory`.

    Raises:  ModelNotFound where the files are gone; ModelError for links among them, and for a local folder that is no
             model; AccessDenied, RegistryUnreachable.
    """
    _check_local_folder(uri)
    with suppress_mlflow_output(), limit_mlflow_downloads():
        from mlflow.artifacts import download_artifacts

        try:
            uris = {"tracking_uri": registry.client.tracking_uri, "registry_uri": registry.uri}
            path = Path(download_artifacts(artifact_uri=uri, dst_path=str(directory), **uris))
        except Exception as error:
            raise translate_mlflow_error(error, subject) from error
    (path / "registered_model_meta").unlink(missing_ok=True)  # written by the download, not part of the model
    return path


def _check_local_folder(uri: str) -> None:
    """MLflow copies what links lead to: any file that this process can read would be a part of the model.

    And it copies whatever folder a registry names, which may be the root of the disk.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        try:
            if Path(unquote(parts.path)).is_dir() and not Path(unquote(parts.path), "MLmodel").is_file():
                raise ModelError(
                    f"no file MLmodel in {redact_secrets(uri)}, where the registry says that the model's files are",
                    "the folder of an MLflow model",
                    "register the model again",
                )
            refuse_links(unquote(parts.path))
        except PermissionError as error:
            raise AccessDenied(
                f"no access to the model's files at {redact_secrets(uri)}",
                "permission to read them",
                "check their mode",
            ) from error


def _refuse_new_database(uri: str) -> None:
    path = urlsplit(uri).path
    file = Path(path[1:]) if uri.startswith("sqlite:///") else None
    if file is not None and not file.exists():
        raise ModelNotFound(
            f"no registry at {file}",
            "an MLflow database that holds the model",
            "train and register a model; `sparkscore quickstart` shows how",
        )
