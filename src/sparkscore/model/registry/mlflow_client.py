"""Calls MLflow: few times, and with its failures translated. Holds only that I/O."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential

from sparkscore.errors import AccessDenied, ConfigError, ModelNotFound, RegistryUnreachable, SparkscoreError
from sparkscore.model.registry.mlflow_settings import (
    limit_mlflow_downloads,
    limit_mlflow_retries,
    suppress_mlflow_output,
)
from sparkscore.model.trust.model_digest import refuse_links
from sparkscore.redaction.known_secrets import register_secret, register_uri_secrets
from sparkscore.redaction.secret_patterns import redact_secrets, shorten_redacted

RegistryAnswer = TypeVar("RegistryAnswer")

_NOT_FOUND_CODES = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_ACCESS_DENIED_CODES = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
_DENIED_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_UNITY_CATALOG = "databricks-uc"
_REFUSED_REQUEST_CODES = ("INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED")


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
) -> RegistryAnswer:
    """The registry's answer, after at most three tries and about ten seconds.

    Needs:   `translate`, for another client than MLflow's: what a failure means.
    Raises:  ModelNotFound, AccessDenied, ConfigError, RegistryUnreachable.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(RegistryUnreachable),
        stop=stop_after_attempt(3) | stop_after_delay(10),
        wait=wait_exponential(multiplier=0.25, max=2),
        reraise=True,
    )
    answer: RegistryAnswer = retrying(_call_registry_once, request, subject, translate or _translate_mlflow_error)
    return answer


def _call_registry_once(
    request: Callable[[], RegistryAnswer], subject: str, translate: Callable[[Exception, str], SparkscoreError]
) -> RegistryAnswer:
    with suppress_mlflow_output(), limit_mlflow_retries():
        try:
            return request()
        except Exception as error:
            raise translate(error, subject) from error


def call_mlflow_in_time(request: Callable[[], RegistryAnswer], *, seconds: float) -> RegistryAnswer:
    """The answer of a request that makes several calls, within a time that no other side can prolong.

    A time-out of a socket is for each read, and stores have time-outs of their own: then the request is left to its
    daemon thread.

    Raises:  RegistryUnreachable when the time is over; else what the request raises.
    """
    answer: Future[RegistryAnswer] = Future()

    def run() -> None:
        try:
            answer.set_result(request())
        except Exception as error:  # noqa: BLE001  raised again by whoever waits
            answer.set_exception(error)

    with suppress_mlflow_output(), limit_mlflow_retries():
        threading.Thread(target=run, name="sparkscore-mlflow", daemon=True).start()
        if not wait([answer], timeout=seconds).done:
            raise RegistryUnreachable(
                f"MLflow has not answered within {seconds:g} s", "a server that answers", "check model.tracking_uri"
            )
    return answer.result()


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

    Raises:  ModelNotFound where the files are gone; ModelError for links among them; AccessDenied,
             RegistryUnreachable.
    """
    _refuse_local_links(uri)
    with suppress_mlflow_output(), limit_mlflow_downloads():
        from mlflow.artifacts import download_artifacts

        try:
            uris = {"tracking_uri": registry.client.tracking_uri, "registry_uri": registry.uri}
            path = Path(download_artifacts(artifact_uri=uri, dst_path=str(directory), **uris))
        except Exception as error:
            raise _translate_mlflow_error(error, subject) from error
    (path / "registered_model_meta").unlink(missing_ok=True)  # written by the download, not part of the model
    return path


def _refuse_local_links(uri: str) -> None:
    """MLflow copies what links lead to: any file that this process can read would be a part of the model."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        try:
            refuse_links(unquote(parts.path))
        except PermissionError as error:
            raise AccessDenied(
                f"no access to the model's files at {redact_secrets(uri)}",
                "permission to read them",
                "check their mode",
            ) from error


def _translate_mlflow_error(error: Exception, subject: str) -> SparkscoreError:
    """What a failure of MLflow, of its database or of the network means for a run."""
    code, message = getattr(error, "error_code", None), shorten_redacted(str(error).strip().partition("\n")[0], 300)
    no_file = isinstance(error, OSError) and "No such file" in str(error)
    check = "check model.uri and model.tracking_uri"
    status = _find_http_status(error)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ConfigError(
            f"the certificate of the registry's server is not trusted, asked for {subject}",
            "a certificate of an authority that this machine knows",
            "set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate, or to that of its authority",
        )
    if code in _NOT_FOUND_CODES or no_file or status == HTTPStatus.NOT_FOUND:
        return ModelNotFound(f"the registry does not have {subject}: {message}", "a registered model", check)
    if code in _ACCESS_DENIED_CODES or isinstance(error, PermissionError) or status in _DENIED_STATUSES:
        return AccessDenied(
            f"no access to {subject}: {message}",
            "permission to read the model",
            "give the driver MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of an"
            " account that may read it; executors need none",
        )
    if code in _REFUSED_REQUEST_CODES or "out-of-date database schema" in message:
        return ConfigError(
            f"the registry refused to give {subject}: {message}", "an MLflow registry of this version", check
        )
    found = f"no answer for {subject}: {type(error).__name__}: {message}"
    return RegistryUnreachable(found, "a registry that answers", "check model.tracking_uri; run it again")


def _find_http_status(error: BaseException | None) -> int | None:
    """Of what a server of files has answered: those calls raise errors of `requests`."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def _refuse_new_database(uri: str) -> None:
    path = urlsplit(uri).path
    file = Path(path[1:]) if uri.startswith("sqlite:///") else None
    if file is not None and not file.exists():
        raise ModelNotFound(
            f"no registry at {file}",
            "an MLflow database that holds the model",
            "train and register a model; `sparkscore quickstart` shows how",
        )
