"""The clients of a model process, each served by a thread of its own."""

import os
import socket
import threading
import time
from dataclasses import replace

import pyarrow as pa

from sparkscore.model.host.error_messages import encode_host_error
from sparkscore.model.host.fork_safety import hide_from_forks
from sparkscore.model.host.wire_format import (
    MessageHeader,
    MessageKind,
    Region,
    read_peer_credentials,
    receive_header,
    send_header,
)
from sparkscore.model.runtimes.scorer import Scorer

CLIENT_HELLO = b"hello"
LOADED_NOW, LOADED_BEFORE = b"\x01", b"\x00"
_HELLO_TIMEOUT_S = 10.0


class ClientThreads:
    """Serves all clients. As many batches are scored at once as workers send: one per task slot.

    Each of them uses the cores of the task that waits for it, so the process computes with what the executor's tasks
    would have computed with, and never with cores x workers.
    """

    def __init__(self, score: Scorer, *, sensitive: bool = False) -> None:
        self._score, self._sensitive = score, sensitive
        self._lock = threading.Lock()
        self._told_of_load = False
        self._busy = 0
        self._cpu_told_s = 0.0
        self._last = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since a batch was scored; 0 while one is."""
        with self._lock:
            return 0.0 if self._busy else time.monotonic() - self._last

    def welcome(self, connection: socket.socket) -> None:
        """Serve a new client, in the background, for as long as it stays."""
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, hide_from_forks(connection.fileno()):
            region = None
            try:
                region = self._introduced(connection)
                while region is not None:
                    self._answer(connection, region)
            except OSError:
                pass  # it has left
            finally:
                if region is not None:
                    region.close()

    def _introduced(self, connection: socket.socket) -> Region | None:
        """The memory that the client shares, once it has shown that it is the same user's."""
        if read_peer_credentials(connection)[1] != os.geteuid():
            return None
        connection.settimeout(_HELLO_TIMEOUT_S)
        word, descriptors, _, _ = socket.recv_fds(connection, len(CLIENT_HELLO), 1)
        if word != CLIENT_HELLO or len(descriptors) != 1:
            return None
        connection.sendall(LOADED_BEFORE if self._load_is_known() else LOADED_NOW)
        connection.settimeout(None)
        return Region(descriptors[0])

    def _load_is_known(self) -> bool:
        """Whether some client was told before that the model was loaded: loads are counted once."""
        with self._lock:
            before, self._told_of_load = self._told_of_load, True
            return before

    def _answer(self, connection: socket.socket, region: Region) -> None:
        header = receive_header(connection)
        with self._lock:
            self._busy += 1
        try:
            answer = self._scored(region, header)
        finally:
            with self._lock:
                self._busy -= 1
                self._last = time.monotonic()
        send_header(connection, replace(answer, cpu_s=self._cpu_not_told_s()))

    def _cpu_not_told_s(self) -> float:
        """What the process has spent since somebody was told: the answers' sum is all of it, its load included."""
        with self._lock:
            now = time.process_time()
            before, self._cpu_told_s = self._cpu_told_s, now
            return now - before

    def _scored(self, region: Region, asked: MessageHeader) -> MessageHeader:
        """The answer behind the question in the memory: predictions may be a view of what was asked."""
        try:
            predictions = self._score(region.batch(asked).columns)
            answer = pa.record_batch([predictions], ["prediction"])
            return region.write(answer, kind=MessageKind.PREDICTIONS, start=asked.after)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client has to hear of it
            return region.write_text(
                encode_host_error(error, sensitive=self._sensitive), kind=MessageKind.ERROR, start=asked.after
            )
