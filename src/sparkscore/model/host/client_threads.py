"""The clients of a model process, each served by a thread of its own."""

import json
import os
import socket
import threading
import time
from dataclasses import replace

from sparkscore.model.host.error_messages import encode_host_error
from sparkscore.model.host.fork_safety import hide_from_forks
from sparkscore.model.host.scored_batch_codec import encode_scored_batch
from sparkscore.model.host.wire_format import (
    MessageHeader,
    MessageKind,
    Region,
    read_peer_credentials,
    receive_header,
    send_header,
)
from sparkscore.model.runtimes.memory_errors import is_out_of_memory, release_cached_memory
from sparkscore.model.runtimes.scorer import Scorer, find_task_end

CLIENT_HELLO = b"hello"
LOADED_NOW, LOADED_BEFORE = b"\x01", b"\x00"
_HELLO_TIMEOUT_S = 10.0


class ClientThreads:
    """Serves all clients. As many batches are scored at once as workers send: one per task slot.

    Each of them uses the cores of the task that waits for it, so the process computes with what the executor's tasks
    would have computed with, and never with cores x workers.
    """

    def __init__(self, score: Scorer, *, sensitive: bool = False) -> None:
        self._scorer, self._is_sensitive = score, sensitive
        self._lock = threading.Lock()
        self._load_reported = False
        self._active_batches = 0
        self._cpu_reported_s = 0.0
        self._last_batch_at = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since a batch was scored; 0 while one is."""
        with self._lock:
            return 0.0 if self._active_batches else time.monotonic() - self._last_batch_at

    def serve_client(self, connection: socket.socket) -> None:
        """Serve a new client, in the background, for as long as it stays."""
        threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        with connection, hide_from_forks(connection.fileno()):
            region = None
            try:
                region = self._receive_region(connection)
                while region is not None:
                    self._answer_request(connection, region)
            except OSError:
                pass  # it has left
            finally:
                if region is not None:
                    region.close()

    def _receive_region(self, connection: socket.socket) -> Region | None:
        """The memory that the client shares, once it has shown that it is the same user's."""
        if read_peer_credentials(connection)[1] != os.geteuid():
            return None
        connection.settimeout(_HELLO_TIMEOUT_S)
        hello, descriptors, _, _ = socket.recv_fds(connection, len(CLIENT_HELLO), 1)
        if hello != CLIENT_HELLO or len(descriptors) != 1:
            return None
        connection.sendall(LOADED_NOW if self._claim_load_report() else LOADED_BEFORE)
        connection.settimeout(None)
        return Region(descriptors[0])

    def _claim_load_report(self) -> bool:
        """Whether this client is the first, which counts the load: loads are counted once."""
        with self._lock:
            is_first, self._load_reported = not self._load_reported, True
            return is_first

    def _answer_request(self, connection: socket.socket, region: Region) -> None:
        header = receive_header(connection)
        with self._lock:
            self._active_batches += 1
        try:
            answer = self._score_request(region, header)
        finally:
            with self._lock:
                self._active_batches -= 1
                self._last_batch_at = time.monotonic()
        send_header(connection, replace(answer, cpu_s=self._take_unreported_cpu_s()))

    def _take_unreported_cpu_s(self) -> float:
        """What the process has spent since the last answer: the answers' sum is all of it, its load included."""
        with self._lock:
            spent = time.process_time()
            reported, self._cpu_reported_s = self._cpu_reported_s, spent
            return spent - reported

    def _score_request(self, region: Region, request: MessageHeader) -> MessageHeader:
        """The answer behind the question in the memory: predictions may be a view of the question."""
        try:
            if request.kind == MessageKind.TASK_END:
                counts = json.dumps(dict(end_task()) if (end_task := find_task_end(self._scorer)) else {})
                return region.write_text(counts, kind=MessageKind.COUNTS, start=request.next_start)
            answer = encode_scored_batch(self._scorer(region.read_batch(request).columns))
            return region.write_batch(answer, kind=MessageKind.PREDICTIONS, start=request.next_start)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client has to hear of it
            answer_text, ran_out = encode_host_error(error, sensitive=self._is_sensitive), is_out_of_memory(error)
        if ran_out:
            release_cached_memory()
        return region.write_text(answer_text, kind=MessageKind.ERROR, start=request.next_start)
