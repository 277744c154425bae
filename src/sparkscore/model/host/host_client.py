"""The worker's side: a scorer that sends its batches to the model process, and starts it if there is none."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa

from sparkscore.errors import BatchTimeout, DigestMismatch, PredictError, UnsupportedSession
from sparkscore.model.distribution.locked_directory import acquire_file_lock
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.executor_process import Process, find_executor_process, find_process
from sparkscore.model.host.host_connection import HostConnection, connect_to_host
from sparkscore.model.host.host_directory import HostDirectory, locate_host_directory, remove_old_host_directories
from sparkscore.model.host.host_start import HostSpec, reap_ended_hosts, start_host_process
from sparkscore.model.host.time_limits import HostTimeLimits, private_time_limits, read_host_time_limits
from sparkscore.model.host.wire_format import PeerEndedError, PeerGoneError, PeerLateError

HostAnswer = TypeVar("HostAnswer")

_reported_host_cpu = {"cpu_s": 0.0}

_HOST_TRIES = 3
_LOCK_WAIT_S = 0.05


def host_cpu_seconds() -> float:
    """Seconds of the CPU that model processes have reported to this worker: each second to one worker alone."""
    return _reported_host_cpu["cpu_s"]


def _add_host_cpu(cpu_s: float) -> None:
    _reported_host_cpu["cpu_s"] += cpu_s


class FolderProvider(Protocol):
    """Where the model's files lie on this node; `verify`: they had another digest; check them again."""

    def __call__(self, *, verify: bool) -> str:
        """The folder, in use by this process."""


def open_host_scorer(
    model: ShippedModel,
    provide_folder: FolderProvider,
    *,
    cores: int,
    device: str | None,
    on_load: Callable[[], None],
    limits: HostTimeLimits | None = None,
    private: bool = False,
) -> "HostedModel":
    """The model in a process that all workers of this executor share; started by the first of them that asks.

    `on_load` is called once per load, by one of the clients: now, or when the process has to be started again.
    `private`: the process is this worker's alone, and ends with it.

    Needs:   a model whose `predict` may run in several threads at once, as MLflow's own server has it; not where the
             process is private.
    Runs on: executor.
    Raises:  UnsupportedSession anywhere but on Linux; AccessDenied; what the model raises on loading or on a batch, as
             the suite's own error; PredictError where the process ended, or did not answer, three times over;
             BatchTimeout where it did not answer within the model's `batch_timeout`, twice (private: once).
    """
    if sys.platform != "linux" or not hasattr(os, "memfd_create"):
        raise _unsupported_platform_error(private=private)
    pid = os.getpid()
    owner = find_process(pid) if private else find_executor_process(pid)  # now: an orphan has another parent
    if limits is None:
        limits = private_time_limits(model.batch_timeout) if private else read_host_time_limits(model.batch_timeout)
    client = HostedModel(_ModelRequest(model, provide_folder, cores, device), owner, limits, private=private)
    client.count_loads(on_load)
    client.connect()
    return client


def _unsupported_platform_error(*, private: bool) -> UnsupportedSession:
    if private:
        return UnsupportedSession(
            f"a second model on {sys.platform}: the Python worker holds another model's code, or modules with"
            " the names of this one's",
            "Linux on the executors, where such a model gets a process of its own",
            "score with one model per session, and restart Spark in between",
        )
    return UnsupportedSession(
        f"residency executor on {sys.platform}", "Linux on the executors", "set model.residency to worker"
    )


@dataclass(frozen=True, slots=True)
class _ModelRequest:
    """What is to be in the process."""

    model: ShippedModel
    provide_folder: FolderProvider
    cores: int
    device: str | None


class HostedModel:
    """A scorer: one connection, one batch at a time."""

    def __init__(self, request: _ModelRequest, owner: Process, limits: HostTimeLimits, *, private: bool) -> None:
        self._request, self._owner, self._limits, self._private = request, owner, limits, private
        self._directory = locate_host_directory(owner, request.model, request.device)
        self._batch_lock = threading.Lock()
        self._connection: HostConnection | None = None
        self._on_load: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int | None:
        """The number of the process that was seen last."""
        return None if self._connection is None else self._connection.process.pid

    def count_loads(self, on_load: Callable[[], None]) -> None:
        """Have this called for each load from now on: who counts is another one with each task."""
        self._on_load = on_load

    def connect(self) -> None:
        """Have a connection, so that a model that cannot be loaded says so now."""
        self._call_with_retries(lambda connection: None, "while it was loaded")

    def __call__(self, columns: Sequence[pa.Array]) -> pa.Array:
        """The predictions of the process."""
        batch = pa.record_batch(list(columns), [str(index) for index in range(len(columns))])
        return self._call_with_retries(
            lambda connection: connection.score_batch(batch, _add_host_cpu), f"on a batch of {batch.num_rows} rows"
        )

    def close(self) -> None:
        """Close the connection; the process continues, and the next batch connects again."""
        if self._connection is not None:
            self._connection.close()

    def end_process(self) -> None:
        """End the process at once, where it is private; a later batch would start another one."""
        if self._private and self._connection is not None:
            self._connection.close()
            self._connection.process.kill()
            reap_ended_hosts(self._connection.process)
            self._directory.remove_directory()

    def _call_with_retries(self, call: Callable[[HostConnection], HostAnswer], when: str) -> HostAnswer:
        reasons: list[PeerGoneError] = []
        with self._batch_lock:
            while len(reasons) < _HOST_TRIES:
                try:
                    return call(self._ensure_connection())
                except PeerEndedError:
                    continue  # not this batch's fault; whoever's it is, it gives up after a few tries
                except PeerGoneError as gone:
                    reasons.append(gone)
                    self._raise_if_late(reasons, when)
        raise PredictError(
            f"the model process failed {_HOST_TRIES} times {when}: it {'; it '.join(map(str, reasons))}",
            "a process that keeps running: it ends if it runs out of memory, or if a batch crashes it",
            "give executors more spark.executor.memoryOverhead, use smaller batches, or "
            + ("score with one model per session" if self._private else "set model.residency to worker"),
        )

    def _raise_if_late(self, reasons: Sequence[PeerGoneError], when: str) -> None:
        late_count = sum(isinstance(reason, PeerLateError) for reason in reasons)
        if self._request.model.batch_timeout is not None and late_count == self._limits.max_late_batches:
            raise BatchTimeout(
                f"the model did not answer within {self._limits.batch_s:g} s {when}, {late_count} times",
                "an answer to every batch within scoring.batch_timeout",
                "give it more time, or smaller batches; exclude rows that it hangs on with a filter",
            )

    def _ensure_connection(self) -> HostConnection:
        if self._connection is None or self._connection.is_closed:
            self._connection = self._find_or_start_host(self._directory)
            if self._connection.loaded_now:
                self._on_load()
        return self._connection

    def _find_or_start_host(self, directory: HostDirectory) -> HostConnection:
        deadline = time.monotonic() + self._limits.load_s
        if not self._owner.is_alive:
            raise PeerGoneError("ended, and so has the executor")
        while time.monotonic() < deadline:
            connection = connect_to_host(directory, self._limits.batch_s)
            if connection is not None:
                return connection
            self._try_start_host(directory, deadline)
        raise PeerGoneError(f"was not there after {self._limits.load_s:.0f} s")

    def _try_start_host(self, directory: HostDirectory, deadline: float) -> None:
        """Start the process, unless another worker is doing so, or one that lives is still to be heard of."""
        try:
            lock = acquire_file_lock(directory.start_lock, deadline=time.monotonic() + _LOCK_WAIT_S)
        except FileNotFoundError:  # its predecessor has just taken the folder away
            return
        if lock is None:
            return
        try:
            alive_lock = acquire_file_lock(directory.alive_lock, deadline=time.monotonic() + _LOCK_WAIT_S)
            if alive_lock is not None:
                self._start_host(directory, alive_lock, deadline)
        finally:
            os.close(lock)

    def _start_host(self, directory: HostDirectory, alive_lock: int, deadline: float) -> None:
        try:
            remove_old_host_directories()
            try:
                start_host_process(
                    self._build_host_spec(directory, verify=False), alive_lock=alive_lock, deadline=deadline
                )
            except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
                start_host_process(
                    self._build_host_spec(directory, verify=True), alive_lock=alive_lock, deadline=deadline
                )
        finally:
            os.close(alive_lock)

    def _build_host_spec(self, directory: HostDirectory, *, verify: bool) -> HostSpec:
        return HostSpec(
            model=self._request.model,
            folder=self._request.provide_folder(verify=verify),
            cores=self._request.cores,
            device=self._request.device,
            owner=self._owner,
            directory=directory,
            idle_s=self._limits.idle_s,
        )
