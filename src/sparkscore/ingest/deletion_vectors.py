"""Which rows of a data file its deletion vector removes. Executors use it: pyarrow and numpy only."""

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyarrow import fs

from sparkscore.errors import AccessDenied, ConfigError
from sparkscore.ingest.roaring_bitmap import BitmapDamaged, RoaringBitmap
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.storage_errors import find_storage_error

DELETION_VECTOR_COLUMN = "deletion_vector"
"""Of a split: how the deleted rows of the file are found; NULL where there are none."""
DELETION_VECTOR_TYPE = pa.struct(
    [
        ("path", pa.string()),
        ("offset", pa.int64()),
        ("inline", pa.string()),
        ("size", pa.int64()),
        ("cardinality", pa.int64()),
    ]
)
"""A part of a file, or a text of the log; `path` as those of data files."""

_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_BASE85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_BASE85 = bytes.maketrans(_Z85, _BASE85)


def resolve_data_path(root: str, path: str) -> str:
    """Where a file of a listing lies: below the table's folder, or elsewhere, where the path begins with a slash."""
    return path[1:] if path.startswith("/") else f"{root}/{path}"


def load_deleted_rows(
    descriptor: Mapping[str, Any], *, root: str, filesystem: fs.FileSystem | None, of: str
) -> RoaringBitmap:
    """The rows of a data file that are deleted, by their numbers in the file.

    Needs:   a descriptor of `DELETION_VECTOR_TYPE`; `of`: the data file in words.
    Runs on: executor.
    Raises:  ConfigError where it is gone or damaged; AccessDenied.
    """
    if descriptor["inline"] is not None:
        name, data = "in the table's log", _decode_inline(descriptor, of)
    else:
        name = str(descriptor["path"]).rpartition("/")[2]
        data = _read_vector_file(descriptor, resolve_data_path(root, descriptor["path"]), filesystem, of=of)
    try:
        rows = RoaringBitmap(data)
    except BitmapDamaged as error:
        raise _damage_error(name, of, str(error)) from error
    if rows.cardinality != descriptor["cardinality"]:
        raise _damage_error(
            name, of, f"{rows.cardinality:,} rows, and the table's log says {descriptor['cardinality']:,}"
        )
    return rows


def decode_z85(text: str) -> bytes:
    """The bytes of a text in the base 85 of ZeroMQ.

    Raises:  ValueError.
    """
    return base64.b85decode(text.encode("ascii").translate(_TO_BASE85))


def _decode_inline(descriptor: Mapping[str, Any], of: str) -> bytes:
    try:
        return decode_z85(descriptor["inline"])[: descriptor["size"]]
    except ValueError as error:
        raise _damage_error("in the table's log", of, "no text in base 85") from error


def _read_vector_file(descriptor: Mapping[str, Any], path: str, filesystem: fs.FileSystem | None, *, of: str) -> bytes:
    name, size = path.rpartition("/")[2], descriptor["size"]
    try:
        with (filesystem or fs.LocalFileSystem()).open_input_file(path) as file:
            found = file.read_at(size + 8, descriptor["offset"])
    except FileNotFoundError:
        raise ConfigError(
            f"the deletion vector {name} of {of} of the pinned version is gone",
            "a version that was not vacuumed: without it, deleted rows would come back",
            "score a newer version: source.version, or --restart",
        ) from None
    except PermissionError:
        raise AccessDenied(
            f"no access to the deletion vector {name} of {of}", "permission to read it", "check its owner and mode"
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        refused = None if filesystem is None else find_storage_error(str(error), f"reading {name}")
        raise refused or _damage_error(name, of, shorten_redacted(str(error).partition("\n")[0], 200)) from error
    return _require_checksum(found, size, name, of)


def _require_checksum(found: bytes, size: int, name: str, of: str) -> bytes:
    """The vector between its size and its checksum."""
    data = found[4:-4]
    if len(found) != size + 8 or struct.unpack(">i", found[:4]) != (size,):
        raise _damage_error(name, of, f"no {size:,} bytes where the table's log says so")
    if struct.unpack(">I", found[-4:]) != (zlib.crc32(data),):
        raise _damage_error(name, of, "another checksum than it was written with")
    return data


def _damage_error(name: str, of: str, why: str) -> ConfigError:
    return ConfigError(
        f"the deletion vector {name} of {of} is damaged: {why}",
        "a complete one: without it, deleted rows would come back",
        "restore the file, or score another version of the table",
    )
