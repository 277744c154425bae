"""A worker's connection to the model process."""

import math
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from sparkscore.errors import AccessDenied
from sparkscore.model.host.client_threads import CLIENT_HELLO, LOADED_NOW
from sparkscore.model.host.error_messages import decode_host_error
from sparkscore.model.host.executor_process import Process, find_process
from sparkscore.model.host.host_directory import HostDirectory
from sparkscore.model.host.wire_format import (
    MessageKind,
    PeerEndedError,
    PeerGoneError,
    PeerLateError,
    Region,
    read_peer_credentials,
    receive_bytes,
    receive_header,
    send_header,
)


def connect_to_host(place: HostDirectory, timeout_s: float) -> "Connection | None":
    """A connection to the process that serves there; None where none does, or one that is ending.

    Raises:  AccessDenied where another user's process listens.
    """
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(None if math.isinf(timeout_s) else timeout_s)
    try:
        with place.address() as address:
            channel.connect(address)
        return Connection(channel, place, timeout_s)
    except (FileNotFoundError, ConnectionError, BlockingIOError, PeerGoneError):
        channel.close()  # nobody, or too many who wait already, or it ended while we asked
        return None
    except BaseException:
        channel.close()
        raise


class Connection:
    """Takes one batch at a time. When something fails it is closed."""

    def __init__(self, channel: socket.socket, place: HostDirectory, timeout_s: float) -> None:
        self._channel, self._place, self._timeout_s = channel, place, timeout_s
        self._region = Region.new()
        with self._closed_if_it_fails():
            self.process = _verify_peer_process(channel)
            """The one at the other side."""
        with self._answered():
            socket.send_fds(channel, [CLIENT_HELLO], [self._region.descriptor])
            self.loaded_now = receive_bytes(channel, 1) == LOADED_NOW
            """Whether this client is the one that counts the load."""

    def scored(self, batch: pa.RecordBatch, on_cpu: Callable[[float], None]) -> pa.Array:
        """The predictions; `on_cpu` hears of the process's seconds of the CPU that nobody was told before.

        Raises:  the suite's errors, as in process; PeerGoneError where the process ended; PeerLateError where it took
                 too long and was ended; PeerEndedError where it was ended because another client's batch took so.
        """
        asked = self._region.write(batch, kind=MessageKind.BATCH)
        with self._answered():
            send_header(self._channel, asked)
            header = receive_header(self._channel)
        on_cpu(header.cpu_s)
        answer = self._region.copy(header)  # the next batch is written over it
        if header.kind == MessageKind.ERROR:
            raise decode_host_error(answer.decode())
        return pa.ipc.open_stream(answer).read_next_batch().column(0)

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        return self._channel.fileno() < 0

    def close(self) -> None:
        """Close the connection; the process continues."""
        self._channel.close()
        self._region.close()

    def __del__(self) -> None:
        self.close()

    @contextmanager
    def _answered(self) -> Iterator[None]:
        with self._closed_if_it_fails():
            try:
                yield
            except TimeoutError as error:
                self._place.note_end(self.process)
                self.process.end()  # stopped, or hanging: others would wait for it, too
                raise PeerLateError(f"did not answer within {self._timeout_s:g} s, and was ended") from error
            except ConnectionError as error:
                if self._place.was_ended(self.process):
                    raise PeerEndedError("was ended, as it did not answer another worker") from error
                raise PeerGoneError("ended") from error

    @contextmanager
    def _closed_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


def _verify_peer_process(channel: socket.socket) -> Process:
    """The process at the other side, which is to be the same user's."""
    pid, user = read_peer_credentials(channel)
    if user != os.geteuid():
        raise AccessDenied(
            f"the model process belongs to the user {user}",
            f"a process of the user {os.geteuid()}",
            "find out who started it",
        )
    return find_process(pid)
