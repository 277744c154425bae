"""Finds compressed pickles: Python's own modules unpack the beginning of a file, up to a limit.

Light: executors look before they import anything.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sparkscore.model.trust.pickle_streams import is_pickle_stream

UNREADABLE_STARTS = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd", b"ZF0x")
"""lz4, zstd and joblib's former compression: joblib can read what is in them, Python's own modules cannot."""
_MAX_UNPACKED_BYTES = 1 << 20
_MAX_LZMA_BYTES = 256 << 20
_ANY_HEADER = 47
"""zlib's own word for: gzip or zlib, as it begins."""


def is_packed_pickle(path: Path, head: bytes) -> bool:
    """Whether it is a compressed pickle, or compressed in a way that only joblib can read."""
    if head.startswith(UNREADABLE_STARTS):
        return True
    for start, decompress in _DECOMPRESSORS:
        if head.startswith(start):
            with path.open("rb") as file, suppress(OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                content = decompress(file.read(_MAX_UNPACKED_BYTES))
                return _is_pickle_head(content, is_whole=max(len(content), path.stat().st_size) < _MAX_UNPACKED_BYTES)
    return False


def _decompress_zlib(packed: bytes) -> bytes:
    """The beginning of what gzip and zlib have packed."""
    return zlib.decompressobj(_ANY_HEADER).decompress(packed, _MAX_UNPACKED_BYTES)


def _decompress_bz2(packed: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(packed, _MAX_UNPACKED_BYTES)


def _decompress_lzma(packed: bytes) -> bytes:
    return lzma.LZMADecompressor(memlimit=_MAX_LZMA_BYTES).decompress(packed, _MAX_UNPACKED_BYTES)


_DECOMPRESSORS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", _decompress_zlib),
    (b"\x78", _decompress_zlib),
    (b"BZh", _decompress_bz2),
    (b"\xfd7zXZ", _decompress_lzma),
    (b"\x5d\x00\x00", _decompress_lzma),
)


def _is_pickle_head(content: bytes, *, is_whole: bool) -> bool:
    """Whether a pickle begins so. What goes on behind the head counts as if it were there."""
    return is_pickle_stream(io.BytesIO(content), len(content) if is_whole else 1 << 62)
