"""The digest of a model's files. Light: executors check it before they import anything of the model."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sparkscore.errors import ModelError

_HASH_CHUNK_BYTES = 1 << 20
_FORMULA = b"sparkscore-model-2\0"
"""What is hashed begins with it, so that a digest of another formula is never mistaken for one of this."""
_LENGTH_BYTES = 8


def compute_model_digest(folder: str | Path) -> str:
    """sha256 over the relative paths and contents of a folder's files, in hexadecimal; empty folders do not count.

    Runs on: driver | executor.
    Raises:  ModelError for links and special files, for a folder that is not there or holds nothing.
    """
    return hashlib.sha256(
        frame_parts((os.fsencode(name), content.digest()) for name, content in _read_contents(folder))
    ).hexdigest()


def compute_files_digest(files: Mapping[str, bytes]) -> str:
    """The digest that a folder with these files would have, content by path."""
    return hashlib.sha256(
        frame_parts((os.fsencode(name), hashlib.sha256(content).digest()) for name, content in files.items())
    ).hexdigest()


def frame_parts(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Names and content digests as one unambiguous text: each part after its length.

    Needs:   each name once.
    """
    parts = (part for file in sorted(files) for part in file)
    return _FORMULA + b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)


def compute_former_digest(folder: str | Path) -> str | None:
    """The digest by the former formula, by which older pins name a model; None for files that it does
    not distinguish from others: it joined names and contents by line breaks, which a name may contain.

    Runs on: driver.
    Raises:  as `compute_model_digest`.
    """
    contents = _read_contents(folder)
    if any("\n" in name for name, _ in contents):
        return None
    lines = [f"{content.hexdigest()}  {name}\n".encode(errors="surrogateescape") for name, content in contents]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def refuse_links(folder: str | Path) -> None:
    """Refuse links and special files in a folder. A copy of it would hold what they lead to.

    Runs on: driver.
    Raises:  ModelError.
    """
    for _ in _walk_model_files(Path(folder)):
        pass


def _read_contents(folder: str | Path) -> list[tuple[str, "hashlib._Hash"]]:
    root = Path(folder)
    files = sorted((path.relative_to(root).as_posix(), path) for path in _walk_model_files(root))
    if not files:
        raise ModelError(
            f"no model files in {root}", "a folder with an MLmodel file", "remove the folder and run again"
        )
    return [(name, _hash_file_content(path)) for name, path in files]


def _walk_model_files(root: Path) -> Iterator[Path]:
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ModelError(
                f"{path.name} among the model's files is a link or a special file",
                "plain files and folders",
                "log the model again without it",
            )
        if path.is_dir():
            yield from _walk_model_files(path)
        else:
            yield path


def _hash_file_content(path: Path) -> "hashlib._Hash":
    with path.open("rb") as file:
        content = hashlib.sha256()
        while chunk := file.read(_HASH_CHUNK_BYTES):
            content.update(chunk)
    return content
