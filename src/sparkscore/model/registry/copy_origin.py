"""Where the files of a model version come from, and what shows that they are still those that were fetched.

A registry's version does not change, but its files lie where others can write. Of local files the system says when
they were changed; of remote ones their store lists names and sizes, and the registry tells when it got the version.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sparkscore.errors import SparkscoreError
from sparkscore.model.registry.mlflow_client import Registry, call_registry
from sparkscore.records.canonical_text import json_digest

_MAX_FOLDERS = 50
"""Each is a request to the store; a model with more is downloaded."""


@dataclass(frozen=True, slots=True)
class CopyOrigin:
    """A model version as its registry has it."""

    key: str
    """Which one it is: a digest of the registry, the name and the version."""
    evidence: str
    """A digest of what a look from outside tells of its files."""


def describe_origin(registry: Registry, entry: Any, uri: str) -> CopyOrigin | None:
    """The version whose files lie at a URI; None where nothing shows whether they have changed.

    Needs:   `entry`, MLflow's record of the version.
    Jobs:    none; lists files, reads none.
    Runs on: driver.
    """
    found = None
    parts = urlsplit(uri)
    with suppress(SparkscoreError, OSError):  # the download comes across the same failure, and tells of it
        if parts.scheme in ("", "file"):
            found = sorted(_list_local_files(Path(unquote(parts.path))))
        elif parts.scheme != "models":  # of Unity Catalog's files only a download gets the credentials
            found = sorted(_list_remote_files(registry, uri))
    if not found:
        return None
    version = (registry.uri, str(entry.name), str(entry.version))
    return CopyOrigin(json_digest(version), json_digest((uri, entry.creation_timestamp, found)))


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


def _list_remote_files(registry: Registry, uri: str) -> Iterator[tuple[Any, ...]]:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = call_registry(
        lambda: get_artifact_repository(uri, registry.client.tracking_uri, registry.uri), f"the files at {uri}"
    )
    folders = [None]
    for asked, folder in enumerate(folders):  # grows meanwhile
        if asked == _MAX_FOLDERS:
            raise SparkscoreError(f"more than {_MAX_FOLDERS} folders at {uri}")
        for entry in call_registry(lambda: repository.list_artifacts(folder), f"the files at {uri}"):  # noqa: B023
            if entry.is_dir:
                folders.append(entry.path)
            elif entry.file_size is None:
                raise SparkscoreError(f"no size of {entry.path} at {uri}")
            else:
                yield entry.path, entry.file_size
