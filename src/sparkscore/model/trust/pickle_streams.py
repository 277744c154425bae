"""Finds pickles by their content: nothing is unpickled. Light: executors look before they import anything.

What a file is called says nothing: `pickle.load` takes any file. A stream counts as a pickle if Python's unpickler
would import something on the way through it and call it, or begins as one of protocol 2 or newer does.
"""

import pickletools
from typing import IO, BinaryIO, cast

_PROTO = 0x80
_IMPORTS = frozenset({"GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_CALLS = frozenset({"REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "BUILD"})
_MAX_OPCODES = 1_000_000
_MAX_ARGUMENT_BYTES = 16 << 20
_MAX_LINE_BYTES = 1 << 20
_MAX_BYTES = 256 << 20


class _LimitReachedError(Exception):
    """All that was looked at could be a pickle, and the rest is not looked at."""


def is_pickle_stream(file: BinaryIO, size: int) -> bool:
    """Whether the unpickler would act on a file from where it stands, `size` bytes before its end."""
    start = file.read(2)
    has_header = len(start) == 2 and start[0] == _PROTO and start[1] <= 5
    imported = False
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(cast("IO[bytes]", _BoundedFile(start, file, size)))):
            if opcode.name == "INST" or (opcode.name in _CALLS and imported) or count > _MAX_OPCODES:
                return True
            imported = imported or opcode.name in _IMPORTS
            if opcode.name == "STOP":
                return imported or has_header
    except _LimitReachedError:
        return True
    except Exception:  # noqa: BLE001 - pickletools raises what its parts raise; the unpickler would not get further
        return imported and has_header
    return False


class _BoundedFile:
    """A stream for pickletools, of which neither an argument nor all of them take more than a limit."""

    def __init__(self, start: bytes, file: BinaryIO, size: int) -> None:
        self._start, self._file, self._size, self._position = start, file, size, 0

    def read(self, count: int) -> bytes:
        if self._position + count > self._size:
            return b""
        if count > _MAX_ARGUMENT_BYTES:
            raise _LimitReachedError
        head, self._start = self._start[:count], self._start[count:]
        content = head + self._file.read(count - len(head))
        if len(content) < count:  # of a file that was cut here
            raise _LimitReachedError
        return self._advance(content)

    def readline(self) -> bytes:
        head, newline, rest = self._start.partition(b"\n")
        self._start = rest
        line = head + newline if newline else head + self._file.readline(_MAX_LINE_BYTES)
        if not line.endswith(b"\n") and self._position + len(line) < self._size:
            raise _LimitReachedError
        return self._advance(line)

    def tell(self) -> int:
        return self._position

    def _advance(self, content: bytes) -> bytes:
        self._position += len(content)
        if self._position > _MAX_BYTES:
            raise _LimitReachedError
        return content
