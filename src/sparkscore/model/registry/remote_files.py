"""Files of models in stores that MLflow reaches: what the store lists of them. Holds only that I/O."""

from collections.abc import Iterator
from typing import Any

from sparkscore.errors import ModelError
from sparkscore.model.registry.mlflow_client import call_registry

_MAX_FOLDERS = 50
"""Each is a request to the store; a model with more is downloaded."""


def list_remote_files(uri: str, *uris: str, most_folders: int = _MAX_FOLDERS) -> Iterator[tuple[Any, ...]]:
    """Names and sizes of all files below a URI.

    Needs:   `uris`: MLflow's tracking server and its registry, where the URI is one of theirs.
    Raises:  ModelError where there are too many folders, or sizes are not told; as `call_registry`.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = call_registry(lambda: get_artifact_repository(uri, *uris), f"the files at {uri}")
    folders = [None]
    for asked, folder in enumerate(folders):  # grows meanwhile
        if asked == most_folders:
            raise ModelError(
                f"more than {most_folders:,} folders at {uri}", "the folder of one model", "give it a folder of its own"
            )
        for entry in call_registry(lambda: repository.list_artifacts(folder), f"the files at {uri}"):  # noqa: B023
            if entry.is_dir:
                folders.append(entry.path)
            elif entry.file_size is None:
                raise ModelError(f"no size of {entry.path} at {uri}", "a store that tells sizes", "copy it to another")
            else:
                yield entry.path, entry.file_size
