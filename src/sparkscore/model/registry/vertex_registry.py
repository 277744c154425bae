"""Vertex AI's model registry: its versions, aliases, and MLflow models in Cloud Storage. Holds only that I/O.

Google's client is imported when it is first needed, which takes seconds. It finds its credentials itself (Application
Default Credentials), and only the driver needs them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    ModelError,
    ModelNotFound,
    RegistryUnreachable,
    SparkscoreError,
)
from sparkscore.model.registry.mlflow_client import call_registry
from sparkscore.model.registry.mlflow_settings import limit_mlflow_downloads, suppress_mlflow_output
from sparkscore.model.registry.model_registry import ModelEntry
from sparkscore.model.registry.model_uri import VERTEX_SCHEME, LoggedModelUri, ModelUri
from sparkscore.model.registry.remote_files import list_remote_files
from sparkscore.redaction.secret_patterns import shorten_redacted

ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"
"""As gcloud has it, for private endpoints."""
_PATIENCE_S = 10.0
_MOST_FOLDERS = 2_000
"""Of a model: the folder that a version names may be a whole bucket."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_DENIED = (
    "Forbidden",
    "Unauthorized",
    "PermissionDenied",
    "Unauthenticated",
    "DefaultCredentialsError",
    "RefreshError",
)
_REFUSED = ("BadRequest", "InvalidArgument", "FailedPrecondition", "OutOfRange")


@dataclass(frozen=True, slots=True)
class VertexRegistry:
    """The registry of one location: a `ModelRegistry`."""

    endpoint: str
    client: Any
    """Google's, over REST."""

    @classmethod
    def open(cls, model: ModelUri) -> "VertexRegistry":
        """The registry of the location that a model's name holds.

        Raises:  ConfigError for an endpoint without TLS; AccessDenied where Google's client finds no credentials.
        """
        endpoint = _choose_endpoint(_to_resource_name(model).split("/")[3])

        def connect() -> Any:
            from google.api_core.client_options import ClientOptions
            from google.auth.credentials import AnonymousCredentials
            from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

            # a token is not for the open: what answers on loopback without TLS is an emulator
            given = AnonymousCredentials() if endpoint.startswith("http://") else None
            return ModelServiceClient(
                credentials=given, transport="rest", client_options=ClientOptions(api_endpoint=endpoint)
            )

        return cls(endpoint, call_registry(connect, f"the registry at {endpoint}", _translate_google_error))

    @property
    def uris(self) -> tuple[str, ...]:
        """The address of its API."""
        return (self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}",)

    def find_version(self, model: ModelUri) -> str:
        """The version itself, or what the alias points to."""
        return str(int(model.version)) if model.version is not None else str(self._load_version(model).version_id)

    def find_entry(self, model: ModelUri | LoggedModelUri) -> ModelEntry:
        """The version, with its folder in Cloud Storage.

        Raises:  ModelError where it has none, as models that Google has trained; as every registry.
        """
        if not isinstance(model, ModelUri):
            raise ConfigError(f"{model.uri} in Vertex AI", "vertex://…", "name a model of Vertex AI")
        found = self._load_version(model)
        location = str(found.artifact_uri)
        if urlsplit(location).scheme != "gs":
            raise ModelError(
                f"version {found.version_id} of {model.name} has its files at {location or 'no place'}",
                "an MLflow model in Cloud Storage: gs://…",
                "upload the model with artifact_uri set to the folder that mlflow.<flavor>.save_model wrote",
            )
        created = found.version_create_time
        return ModelEntry(
            model.name,
            str(found.version_id),
            location.rstrip("/"),
            0 if created is None else int(created.timestamp() * 1000),
        )

    def list_files(self, entry: ModelEntry) -> Iterator[tuple[Any, ...]]:
        """Names and sizes, as Cloud Storage lists them."""
        yield from list_remote_files(entry.location)

    def download_files(self, entry: ModelEntry, directory: Path) -> Path:
        """The model's folder, whose names stay inside of it.

        Raises:  ModelError where no MLflow model lies there; ModelNotFound where nothing does; as every registry.
        """
        names = [str(found[0]) for found in list_remote_files(entry.location, most_folders=_MOST_FOLDERS)]
        subject = f"the files of {entry.name} version {entry.version} at {entry.location}"
        if not names:
            raise ModelNotFound(f"nothing lies at {entry.location}", "the model's files", "upload the model again")
        outside = [name for name in names if name.startswith("/") or ".." in PurePosixPath(name).parts]
        if outside or "MLmodel" not in names:
            found = f"the file {outside[0]!r:.100}" if outside else "no file MLmodel"
            raise ModelError(
                f"{found} among {subject}",
                "the folder of an MLflow model",
                "save it with mlflow.<flavor>.save_model, copy that folder to Cloud Storage, upload the model again",
            )

        def download() -> Path:
            from mlflow.artifacts import download_artifacts

            return Path(download_artifacts(artifact_uri=entry.location, dst_path=str(directory)))

        with suppress_mlflow_output(), limit_mlflow_downloads():
            return call_registry(download, subject, _translate_google_error, is_transfer=True)

    def _load_version(self, model: ModelUri) -> Any:
        name, wanted = _to_resource_name(model), model.version or model.alias
        try:
            return self._call(
                lambda: self.client.get_model(name=f"{name}@{wanted}", retry=None, timeout=_PATIENCE_S), model
            )
        except ModelNotFound as error:
            raise self._explain_absence(model, error) from error

    def _explain_absence(self, model: ModelUri, error: ModelNotFound) -> ModelNotFound:
        """Which versions and aliases there are instead, where the model itself is there."""
        name = _to_resource_name(model)
        try:
            versions = self._call(
                lambda: list(self.client.list_model_versions(name=name, retry=None, timeout=_PATIENCE_S)), model
            )
        except SparkscoreError:
            return error
        known = [*(alias for one in versions for alias in one.version_aliases), *(one.version_id for one in versions)]
        what = f"alias {model.alias}" if model.version is None else f"version {model.version}"
        return ModelNotFound(
            f"no {what} on the model {model.name}",
            f"one of its aliases and versions: {', '.join(sorted(map(str, known))) or 'none'}",
            "set the alias in Vertex AI, or name a version",
        )

    def _call(self, request: Any, model: ModelUri) -> Any:
        return call_registry(request, f"the model {model.name}", _translate_google_error)


def _to_resource_name(model: ModelUri) -> str:
    return model.name.removeprefix(VERTEX_SCHEME)


def _choose_endpoint(location: str) -> str:
    given = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/")
    parts = urlsplit(given)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError(
            f"{ENDPOINT_VARIABLE} names an address without TLS, {parts.hostname}",
            "https://…, or an emulator on loopback",
            "correct the variable",
        )
    return given.removeprefix("https://") or f"{location}-aiplatform.googleapis.com"


def _translate_google_error(error: Exception, subject: str) -> SparkscoreError:
    """What a failure of Google's client means for a run, by the names of its classes."""
    if isinstance(error, SparkscoreError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return ConfigError(
            f"{error.name} is not installed", "the extra vertex of sparkscore", 'pip install "sparkscore[vertex]"'
        )
    names = [one.__name__ for one in type(error).__mro__]
    message = shorten_redacted(str(error).strip().partition("\n")[0], 300)
    if "NotFound" in names:
        return ModelNotFound(
            f"Vertex AI does not have {subject}: {message}", "a model of its registry", "check model.uri"
        )
    if any(name in names for name in _DENIED):
        return AccessDenied(
            f"no access to {subject}: {message}",
            "permission to read the model, and its files in Cloud Storage",
            "give the driver Application Default Credentials of an account with roles/aiplatform.viewer and"
            " roles/storage.objectViewer",
        )
    if any(name in names for name in _REFUSED):
        return ConfigError(
            f"Vertex AI refused to give {subject}: {message}", "a model of its registry", "check model.uri"
        )
    found = f"no answer for {subject}: {type(error).__name__}: {message}"
    return RegistryUnreachable(found, "a registry that answers", f"check {ENDPOINT_VARIABLE} if set; run it again")
