"""The folder whose files the model may read by paths in its inputs: `model.files`, located as tables are."""

import hashlib
import json

from pyarrow import fs

from sparkscore.errors import ConfigError
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.pipelines.shared.reachable_folders import locate_reachable_folder
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinnedModel
from sparkscore.records.model_files import ModelFiles


def check_model_files(attempt: Attempt, model: PinnedModel) -> None:
    """Refuse a run whose model reads files where the settings name no folder, or none that is there; and a folder that
    no model reads.

    Jobs:    none.
    Raises:  ConfigError.
    """
    folder, reads = attempt.settings.model.files, reads_files(model)
    if reads and folder is None:
        raise ConfigError(
            f"the model {model.name} reads files by their paths, and model.files is not set",
            "the folder below which the paths lie; nothing outside of it is read",
            "set model.files: s3a://bucket/photos",
        )
    if folder is not None and not reads:
        raise ConfigError(
            f"model.files is set, and the model {model.name} reads no files",
            'a model whose MLmodel file says {"sparkscore": {"reads_files": true}} in its metadata',
            "leave model.files out, or save the model with source=path",
        )
    found = locate_readable_files(attempt, model)
    if found is None:
        return
    system = found.filesystem or fs.LocalFileSystem()
    try:
        is_there = system.get_file_info(found.root).type == fs.FileType.Directory
    except OSError as error:
        raise ConfigError(
            f"the folder of model.files, {found.uri}, cannot be read: {type(error).__name__}",
            "a folder that may be read",
            "check its name, and the credentials that the session has",
        ) from error
    if not is_there:
        raise ConfigError(
            f"the folder of model.files is not there: {found.uri}", "a folder with files", "correct its name"
        )


def reads_files(model: PinnedModel) -> bool:
    """Whether the model says that its inputs hold paths of files."""
    metadata = (model.described or read_mlmodel(model.path, model.trust)).get("metadata")
    own = metadata.get("sparkscore") if isinstance(metadata, dict) else None
    return isinstance(own, dict) and own.get("reads_files") is True


def locate_readable_files(attempt: Attempt, model: PinnedModel) -> ModelFiles | None:
    """The folder as workers reach it, with the session's own credentials; None for a model that reads none.

    Jobs:    none.
    Raises:  ConfigError for a store that only Spark reaches.
    """
    folder = attempt.settings.model.files
    if folder is None or not reads_files(model):
        return None
    location = locate_reachable_folder(
        attempt,
        folder,
        problem=f"workers do not reach the files in {folder}",
        advice="read the files as rows instead: source.format: binaryFile, and a model saved with source=bytes",
    )
    identity = hashlib.sha256(json.dumps(sorted(location.options.items())).encode()).hexdigest()[:16]
    return ModelFiles(folder, location.root, identity, location.filesystem)
