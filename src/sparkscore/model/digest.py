"""What a model's files are, as one number. Light: executors check it before they import anything of the model."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sparkscore.errors import ModelError

_CHUNK = 1 << 20


def digest_of(folder: str | Path) -> str:
    """sha256 over the relative paths and contents of a folder's files, in hexadecimal; empty folders do not count.

    Runs on: driver | executor.
    Raises:  ModelError for links and special files, for a folder that is not there or holds nothing.
    """
    root = Path(folder)
    manifest = hashlib.sha256()
    lines = sorted((path.relative_to(root).as_posix(), path) for path in _files(root))
    if not lines:
        raise ModelError(
            f"no model files in {root}", "a folder with an MLmodel file", "remove the folder and run again"
        )
    for name, path in lines:
        manifest.update(f"{_content_digest(path)}  {name}\n".encode(errors="surrogateescape"))
    return manifest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ModelError(
                f"{path.name} among the model's files is a link or a special file",
                "plain files and folders",
                "log the model again without it",
            )
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _content_digest(path: Path) -> str:
    with path.open("rb") as file:
        content = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            content.update(chunk)
    return content.hexdigest()
