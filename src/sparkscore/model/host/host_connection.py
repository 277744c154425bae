"""A worker's connection to the model process."""

import json
import math
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from sparkscore.errors import AccessDenied
from sparkscore.model.host.client_threads import CLIENT_HELLO, LOADED_NOW
from sparkscore.model.host.error_messages import decode_host_error
from sparkscore.model.host.executor_process import Process, find_process
from sparkscore.model.host.host_directory import HostDirectory
from sparkscore.model.host.scored_batch_codec import decode_scored_batch
from sparkscore.model.host.wire_format import (
    MessageHeader,
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
from sparkscore.model.runtimes.scored_batch import ScoredBatch


def connect_to_host(directory: HostDirectory, timeout_s: float) -> "HostConnection | None":
    """A connection to the process that serves there; None where none does, or one that is ending.

    Raises:  AccessDenied where another user's process listens.
    """
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(None if math.isinf(timeout_s) else timeout_s)
    try:
        with directory.open_address() as address:
            channel.connect(address)
        return HostConnection(channel, directory, timeout_s)
    except (FileNotFoundError, ConnectionError, BlockingIOError, PeerGoneError):
        channel.close()  # nobody, or too many who wait already, or it ended while we asked
        return None
    except BaseException:
        channel.close()
        raise


class HostConnection:
    """Takes one batch at a time. When something fails it is closed."""

    def __init__(self, channel: socket.socket, directory: HostDirectory, timeout_s: float) -> None:
        self._channel, self._directory, self._timeout_s = channel, directory, timeout_s
        self._region = Region.create()
        with self._close_on_error():
            self.process = _verify_peer_process(channel)
            """The one at the other side."""
        with self._translate_peer_errors():
            socket.send_fds(channel, [CLIENT_HELLO], [self._region.descriptor])
            self.loaded_now = receive_bytes(channel, 1) == LOADED_NOW
            """Whether this client is the one that counts the load."""

    def score_batch(self, batch: pa.RecordBatch, on_cpu: Callable[[float], None]) -> ScoredBatch:
        """What became of the rows; `on_cpu` hears of the process's seconds of the CPU that it has not reported before.

        Raises:  the suite's errors, as in process; PeerGoneError where the process ended; PeerLateError where it took
                 too long and was ended; PeerEndedError where it was ended because another client's batch took too long.
        """
        answer = self._ask(self._region.write_batch(batch, kind=MessageKind.BATCH), on_cpu)
        return decode_scored_batch(pa.ipc.open_stream(answer).read_next_batch())

    def end_task(self, on_cpu: Callable[[float], None]) -> Mapping[str, float]:
        """Tell the model that a task of this worker ends; what it has counted that it has not told with a batch.

        Raises:  as `score_batch`; what the model raises, as PredictError.
        """
        counts: Mapping[str, float] = json.loads(self._ask(MessageHeader(MessageKind.TASK_END, 0, 0), on_cpu))
        return counts

    def _ask(self, request: MessageHeader, on_cpu: Callable[[float], None]) -> bytes:
        with self._translate_peer_errors():
            send_header(self._channel, request)
            header = receive_header(self._channel)
        on_cpu(header.cpu_s)
        answer = self._region.copy_bytes(header)  # the next batch is written over it
        if header.kind == MessageKind.ERROR:
            raise decode_host_error(answer.decode())
        return answer

    @property
    def is_closed(self) -> bool:
        """Whether it is of no more use."""
        return self._channel.fileno() < 0

    def close(self) -> None:
        """Close the connection; the process continues."""
        self._channel.close()
        self._region.close()

    def __del__(self) -> None:
        self.close()

    @contextmanager
    def _translate_peer_errors(self) -> Iterator[None]:
        with self._close_on_error():
            try:
                yield
            except TimeoutError as error:
                self._directory.write_end_marker(self.process)
                self.process.kill()  # stopped, or hanging: others would wait for it, too
                raise PeerLateError(f"did not answer within {self._timeout_s:g} s, and was ended") from error
            except ConnectionError as error:
                if self._directory.has_end_marker(self.process):
                    raise PeerEndedError("was ended, as it did not answer another worker") from error
                raise PeerGoneError("ended") from error

    @contextmanager
    def _close_on_error(self) -> Iterator[None]:
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
