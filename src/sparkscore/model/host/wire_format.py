"""What goes between a worker and the model process: batches through memory that both map, headers over a socket."""

import fcntl
import mmap
import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa

_MIN_REGION_BYTES = 1 << 20
_ALIGNMENT_BYTES = 64
_PEER_CREDENTIALS_STRUCT = struct.Struct("3i")
_HEADER_STRUCT = struct.Struct("<BQQd")


class MessageKind(IntEnum):
    """What lies in the memory."""

    BATCH = 0
    PREDICTIONS = 1
    ERROR = 2
    TASK_END = 3
    """A client's task ends: no rows."""
    COUNTS = 4
    """As JSON, by name."""


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """Where in the memory something lies."""

    kind: MessageKind
    start: int
    size: int
    cpu_s: float = 0.0
    """Of an answer: seconds of the CPU that the process has spent since its last answer, to whichever worker."""

    @property
    def next_start(self) -> int:
        """The first offset behind it, aligned as Arrow likes it."""
        return -(-(self.start + self.size) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


class PeerGoneError(Exception):
    """The other side has ended, or does not answer."""


class PeerLateError(PeerGoneError):
    """The other side has not answered in time, and was ended."""


class PeerEndedError(PeerGoneError):
    """The other side was ended because of somebody else's batch."""


class Region:
    """Memory without a name, mapped by two processes; it grows and never shrinks.

    No file: in a container with a small /dev/shm, writing to a file there ends a process by SIGBUS. Sealed against
    shrinking for the same reason.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def create(cls) -> "Region":
        """An empty one."""
        descriptor = os.memfd_create("sparkscore", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return cls(descriptor)

    def write_batch(self, batch: pa.RecordBatch, *, kind: MessageKind, start: int = 0) -> MessageHeader:
        """Put a batch there."""
        counter = pa.MockOutputStream()
        _write_ipc_stream(batch, counter)
        header = MessageHeader(kind, start, counter.size())
        target = memoryview(self._map_bytes(start + header.size))[start : start + header.size]
        _write_ipc_stream(batch, pa.FixedSizeBufferWriter(pa.py_buffer(target)))
        return header

    def write_text(self, text: str, *, kind: MessageKind, start: int) -> MessageHeader:
        """Put a text there."""
        content = text.encode()
        self._map_bytes(start + len(content))[start : start + len(content)] = content
        return MessageHeader(kind, start, len(content))

    def read_batch(self, header: MessageHeader) -> pa.RecordBatch:
        """The batch that lies there, without a copy: it lasts until the next one is written over it."""
        stored = pa.py_buffer(self._map_bytes(header.start + header.size)).slice(header.start, header.size)
        return pa.ipc.open_stream(stored).read_next_batch()

    def copy_bytes(self, header: MessageHeader) -> bytes:
        """A copy of what lies there."""
        return self._map_bytes(header.start + header.size)[header.start : header.start + header.size]

    def close(self) -> None:
        """Let it go; arrays that still look at it keep their part of the mapping."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor, self._map = -1, None

    def _map_bytes(self, size: int) -> mmap.mmap:
        """A mapping of at least so many bytes: memory that is not written to costs nothing, so it doubles."""
        if self._map is None or len(self._map) < size:
            map_size = max(_MIN_REGION_BYTES, 1 << (size - 1).bit_length())
            if os.fstat(self.descriptor).st_size < map_size:
                os.ftruncate(self.descriptor, map_size)
            self._map = mmap.mmap(self.descriptor, map_size)
        return self._map


def send_header(connection: socket.socket, header: MessageHeader) -> None:
    """Tell the other side what lies in the memory.

    Raises:  ConnectionError where it has ended.
    """
    connection.sendall(_HEADER_STRUCT.pack(header.kind, header.start, header.size, header.cpu_s))


def receive_header(connection: socket.socket) -> MessageHeader:
    """What the other side says lies in the memory.

    Raises:  ConnectionError where it has ended; TimeoutError.
    """
    kind, start, size, cpu_s = _HEADER_STRUCT.unpack(receive_bytes(connection, _HEADER_STRUCT.size))
    return MessageHeader(MessageKind(kind), start, size, cpu_s)


def receive_bytes(connection: socket.socket, count: int) -> bytes:
    """So many bytes.

    Raises:  ConnectionError where the other side has ended; TimeoutError.
    """
    content = b""
    while len(content) < count:
        more = connection.recv(count - len(content))
        if not more:
            raise ConnectionResetError
        content += more
    return content


def read_peer_credentials(connection: socket.socket) -> tuple[int, int]:
    """Process and user of the other side, as the kernel says."""
    pid, uid, _ = _PEER_CREDENTIALS_STRUCT.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS_STRUCT.size)
    )
    return pid, uid


def _write_ipc_stream(batch: pa.RecordBatch, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
