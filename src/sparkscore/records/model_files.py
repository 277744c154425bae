"""The folder whose files a model may read, by paths in its inputs: `model.files` of the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from pyarrow import fs

from sparkscore.errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder as workers reach it, by the same way as the rows. Pickled into tasks."""

    uri: str
    """As the settings name it, absolute."""
    root: str
    """As pyarrow names it in its file system."""
    identity: str
    """Differs where credentials do: a digest, which tells nothing of them."""
    filesystem: fs.FileSystem | None = field(default=None, repr=False, compare=False)
    """None: the machine's own files."""


_OFFERED: ContextVar[ModelFiles | None] = ContextVar("sparkscore_model_files", default=None)


@contextmanager
def offer_model_files(files: ModelFiles | None) -> Iterator[None]:
    """A block in which a model is loaded that may read these files. Runs on executors."""
    token = _OFFERED.set(files)
    try:
        yield
    finally:
        _OFFERED.reset(token)


def get_model_files() -> ModelFiles:
    """The files that the model which is being loaded may read. For loaders: call it in `_load_pyfunc`.

    Raises:  ModelError where none are offered.
    """
    found = _OFFERED.get()
    if found is None:
        raise ModelError(
            "the model reads files, and nobody has said which",
            "the folder below which its paths lie",
            "set model.files in the settings, or log a model that gets the files' content",
        )
    return found
