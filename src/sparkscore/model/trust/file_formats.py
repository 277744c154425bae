"""What a model's files are, by their content. Nothing is imported, unpacked or executed.

Light: executors look before they import anything. Compressed content is read up to a limit, archives by their
directories and the beginnings of their members.
"""

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.onnx_references import is_onnx_model
from sparkscore.model.trust.packed_pickles import UNREADABLE_STARTS, is_packed_pickle
from sparkscore.model.trust.pickle_streams import is_pickle_stream

_CODE_ENDINGS = (".py", ".pyc", ".pyo", ".pyw", ".pyd", ".so", ".dll", ".dylib", ".whl", ".egg")
_PROGRAM_STARTS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe")
_DATA_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF", "hdf5"),
    (b"CBM1", "catboost"),
    (b"tree\n", "lightgbm"),
    (b"binf", "xgboost"),
    (b"{L", "xgboost"),
    (b"{l", "xgboost"),
    (b"{i", "xgboost"),
    (b"{I", "xgboost"),
    (b"{U", "xgboost"),
)
_HEAD_BYTES = 4096
_MAX_MEMBERS = 100_000
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 100
_ARRAY_START = b"\x93NUMPY"
_OBJECT_ARRAY = re.compile(rb"""['"][|<>=]?O\d*['"]""")
_LAMBDA = re.compile(rb"""\\?["']Lambda\\?["']""")
_TAR_MAGIC = slice(257, 262)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file among a model's."""

    name: str
    """Relative to the model's folder."""
    format: str
    is_code: bool = False
    is_pickle: bool = False


def list_model_files(folder: str | Path) -> tuple[ModelFile, ...]:
    """All files of a model's folder, by name.

    Needs:   plain files and folders alone, as `compute_model_digest` accepts them.
    Runs on: driver | executor.
    Raises:  TrustRefused for an archive that would swell.
    """
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return tuple(describe_model_file(path, path.relative_to(root).as_posix()) for path in paths)


def describe_model_file(path: Path, name: str) -> ModelFile:
    """What a file is.

    Raises:  as `list_model_files`.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(_PROGRAM_STARTS) or name.lower().endswith(_CODE_ENDINGS):
            return ModelFile(name, "code", is_code=True)
        file.seek(0)
        if is_pickle_stream(file, path.stat().st_size) or is_packed_pickle(path, head):
            return ModelFile(name, "pickle", is_pickle=True)
    if zipfile.is_zipfile(path):
        return _describe_archive(path, name)
    return _describe_data(path, name, head)


def _describe_data(path: Path, name: str, head: bytes) -> ModelFile:
    if head.startswith(_ARRAY_START):
        return ModelFile(name, "numpy", is_pickle=_OBJECT_ARRAY.search(head) is not None)
    for start, file_format in _DATA_STARTS:
        if head.startswith(start):
            return ModelFile(name, file_format, is_code=file_format == "hdf5" and _holds_lambda(path))
    if name.endswith(".pb") and not is_onnx_model(path):
        return ModelFile(name, "tensorflow", is_code=True)
    other_format = _other_format(path, head)
    return ModelFile(name, other_format, is_code=name.endswith(".pth") and other_format == "text")


def _other_format(path: Path, head: bytes) -> str:
    if head[_TAR_MAGIC] == b"ustar":
        return "archive"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return "safetensors"
    if is_onnx_model(path):
        return "onnx"
    if not _is_text(head):
        return "unknown"
    return "json" if head.lstrip().startswith((b"{", b"[")) else "text"


def _is_text(head: bytes) -> bool:
    """Whether a file's beginning is text; its last character may go on behind it."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD_BYTES and error.start >= _HEAD_BYTES - 3
    return b"\0" not in head


def _holds_lambda(path: Path) -> bool:
    """Whether a Keras file has a layer that is Python's own code."""
    with path.open("rb") as file:
        kept = b""
        while chunk := file.read(1 << 20):
            if _LAMBDA.search(kept + chunk):
                return True
            kept = chunk[-32:]
    return False


def _describe_archive(path: Path, name: str) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _refuse_bomb(members, path.stat().st_size, name)
            names = [PurePosixPath(member.filename).name for member in members]
            pickled = any(_is_pickled_member(archive, member) for member in members)
            code = any(one.lower().endswith(_CODE_ENDINGS) for one in names) or _has_lambda_config(archive, names)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, zlib.error, EOFError):
        return ModelFile(name, "archive", is_pickle=True)
    return ModelFile(name, _archive_format(names), is_code=code, is_pickle=pickled)


def _archive_format(names: list[str]) -> str:
    if "data.pkl" in names or "archive_format" in names:
        return "torch"
    if "schema.json" in names:
        return "skops"
    if "model.weights.h5" in names:
        return "keras"
    return "numpy" if names and all(name.endswith(".npy") for name in names) else "archive"


def _refuse_bomb(members: list[zipfile.ZipInfo], size: int, name: str) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or total > max(_BOMB_BYTES, _BOMB_RATIO * size):
        raise TrustRefused(
            f"{name} among the model's files is an archive of {len(members):,} members and {total:,} bytes, packed in"
            f" {size:,}",
            f"at most {_MAX_MEMBERS:,} members, and {_BOMB_RATIO} times as many bytes as it takes packed",
            "log the model again, with less compression",
        )


def _is_pickled_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Whether a member is a pickle, holds one, or cannot be looked into."""
    if member.flag_bits & 1:
        return True
    with archive.open(member) as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", *UNREADABLE_STARTS)):
        return True
    if head.startswith(_ARRAY_START):
        return _OBJECT_ARRAY.search(head) is not None
    with archive.open(member) as file:
        return is_pickle_stream(file, member.file_size)  # type: ignore[arg-type]  # it reads as a binary file does


def _has_lambda_config(archive: zipfile.ZipFile, names: list[str]) -> bool:
    """Whether an archive of Keras has a layer that is Python's own code."""
    if "config.json" not in names:
        return False
    member = next(one for one in archive.infolist() if PurePosixPath(one.filename).name == "config.json")
    with archive.open(member) as file:
        return _LAMBDA.search(file.read(64 << 20)) is not None
