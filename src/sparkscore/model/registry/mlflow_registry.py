"""MLflow's registry: a database, a server over HTTP, Databricks' workspace or Unity Catalog."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sparkscore.errors import ModelNotFound
from sparkscore.model.registry.logged_models import find_logged_model
from sparkscore.model.registry.mlflow_client import (
    Registry,
    call_registry,
    download_model_files,
    locate_model_files,
    open_registry,
)
from sparkscore.model.registry.model_registry import ModelEntry
from sparkscore.model.registry.model_uri import LoggedModelUri, ModelUri
from sparkscore.model.registry.remote_files import list_remote_files


@dataclass(frozen=True, slots=True)
class MlflowRegistry:
    """A registry that MLflow's client asks: a `ModelRegistry`."""

    handle: Registry

    @classmethod
    def open(cls, tracking_uri: str | None) -> "MlflowRegistry":
        """The registry of a tracking URI, as `open_registry`."""
        return cls(open_registry(tracking_uri))

    @property
    def uris(self) -> tuple[str, ...]:
        """Of the registry, and of the tracking server, which has the logged models."""
        return self.handle.uri, str(self.handle.client.tracking_uri)

    def find_version(self, model: ModelUri) -> str:
        """The version itself, or what the alias points to in the one answer that also says which aliases there are."""
        if model.version is not None:
            return str(int(model.version))
        found = call_registry(lambda: self.handle.client.get_registered_model(model.name), f"the model {model.name}")
        if model.alias not in found.aliases:
            raise ModelNotFound(
                f"no alias {model.alias} on the model {model.name}",
                f"one of its aliases: {', '.join(sorted(found.aliases)) or 'none'}",
                "set the alias in MLflow, or name a version",
            )
        return str(found.aliases[model.alias])

    def find_entry(self, model: ModelUri | LoggedModelUri) -> ModelEntry:
        """The version, or the logged model that no registry names."""
        if isinstance(model, LoggedModelUri):
            return find_logged_model(self.handle, model)
        version = self.find_version(model)
        return self.describe_version(
            call_registry(
                lambda: self.handle.client.get_model_version(model.name, version),
                f"version {version} of the model {model.name}",
            )
        )

    def describe_version(self, found: Any) -> ModelEntry:
        """MLflow's own record of a version, with the place of its files."""
        name, version = str(found.name), str(found.version)
        if found.status != "READY":
            raise ModelNotFound(
                f"version {version} of {name} is {found.status}",
                "READY",
                "register it again, or name another version",
            )
        location = locate_model_files(self.handle, name, version)
        return ModelEntry(name, version, location, int(found.creation_timestamp or 0))

    def list_files(self, entry: ModelEntry) -> Iterator[tuple[Any, ...]]:
        """Local files by what the system knows of them, remote ones by name and size; of Unity Catalog's none."""
        parts = urlsplit(entry.location)
        if parts.scheme in ("", "file"):
            if Path(unquote(parts.path), "MLmodel").is_file():  # else it may be any folder, and all of the disk
                yield from _list_local_files(Path(unquote(parts.path)))
        elif parts.scheme != "models":  # of Unity Catalog's files only a download gets the credentials
            yield from list_remote_files(entry.location, self.handle.client.tracking_uri, self.handle.uri)

    def download_files(self, entry: ModelEntry, directory: Path) -> Path:
        """As `download_model_files`."""
        subject = f"the files of {entry.name} version {entry.version}"
        return download_model_files(self.handle, entry.location, subject, directory)


def _list_local_files(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Also their inodes and the times that nobody but the system can set."""
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):  # a link to a folder counts as one
            file = Path(root, name)
            status = file.lstat()
            yield (
                str(file.relative_to(folder)),
                *(status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino),
            )
