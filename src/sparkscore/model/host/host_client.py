"""The worker's side: a scorer that sends its batches to the model process, and starts it if there is none."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa

from sparkscore.errors import (
    BatchOutOfMemory,
    DigestMismatch,
    SparkscoreError,
)
from sparkscore.model.distribution.locked_directory import acquire_file_lock
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.executor_process import Process, find_executor_process, find_process
from sparkscore.model.host.host_connection import HostConnection, connect_to_host
from sparkscore.model.host.host_directory import HostDirectory, locate_host_directory, remove_old_host_directories
from sparkscore.model.host.host_failures import (
    failed_host_error,
    killed_host_error,
    late_host_error,
    unsupported_platform_error,
)
from sparkscore.model.host.host_start import HostSpec, reap_ended_hosts, start_host_process
from sparkscore.model.host.memory_kills import count_memory_kills
from sparkscore.model.host.time_limits import HostTimeLimits, private_time_limits, read_host_time_limits
from sparkscore.model.host.wire_format import PeerEndedError, PeerGoneError, PeerLateError
from sparkscore.model.runtimes.memory_errors import is_out_of_memory
from sparkscore.model.runtimes.scored_batch import ScoredBatch

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
        raise unsupported_platform_error(private=private)
    pid = os.getpid()
    owner = find_process(pid) if private else find_executor_process(pid)  # now: an orphan has another parent
    if limits is None:
        limits = private_time_limits(model.batch_timeout) if private else read_host_time_limits(model.batch_timeout)
    client = HostedModel(_ModelRequest(model, provide_folder, cores, device), owner, limits, private=private)
    client.count_loads(on_load)
    client.connect()
    return client


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
        self._memory_kills = count_memory_kills()
        self._is_in_task, self._left_counts = False, dict[str, float]()

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

    def __call__(self, columns: Sequence[pa.Array]) -> ScoredBatch:
        """What the process makes of the rows.

        Raises:  BatchOutOfMemory also where there is no memory to share the batch in, and where the system has ended
                 the process for want of memory.
        """
        batch = pa.record_batch(list(columns), [str(index) for index in range(len(columns))])
        when, self._is_in_task = f"on a batch of {batch.num_rows} rows", True
        try:
            return self._call_with_retries(
                lambda connection: connection.score_batch(batch, _add_host_cpu), when, is_batch=True
            )
        except (MemoryError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            raise BatchOutOfMemory(f"memory ran out {when}: {type(error).__name__}") from error

    def end_task(self) -> Mapping[str, float]:
        """Tell the model that a task of this worker ends. Where its process has ended no other one is started: it tells
        what the model had counted when it was dropped for others.

        Raises:  what the model raises, as PredictError.
        """
        left, self._left_counts, self._is_in_task = self._left_counts, {}, False
        with self._batch_lock, suppress(PeerGoneError):
            if self._connection is not None and not self._connection.is_closed:
                return self._connection.end_task(_add_host_cpu)
        return left

    def close(self) -> None:
        """Close the connection; the process continues, and the next batch connects again."""
        if self._connection is not None:
            self._connection.close()

    def end_process(self) -> None:
        """End the process at once, where it is private; a later batch would start another one."""
        if self._private and self._connection is not None:
            if self._is_in_task:
                with suppress(SparkscoreError):
                    self._left_counts = dict(self.end_task())
            self._connection.close()
            self._connection.process.kill()
            reap_ended_hosts(self._connection.process)
            self._directory.remove_directory()

    def _call_with_retries(
        self, call: Callable[[HostConnection], HostAnswer], when: str, *, is_batch: bool = False
    ) -> HostAnswer:
        reasons: list[PeerGoneError] = []
        tries = 1 if self._request.model.residency == "process" else _HOST_TRIES
        with self._batch_lock:
            while len(reasons) < tries:
                try:
                    return call(self._ensure_connection())
                except PeerEndedError:
                    continue  # not this batch's fault; whoever's it is, it gives up after a few tries
                except PeerGoneError as gone:
                    reasons.append(gone)
                    self._raise_if_late(reasons, when)
                    if is_batch:
                        self._raise_if_out_of_memory(when)
        raise failed_host_error(reasons, when, tries=tries, private=self._private)

    def _raise_if_late(self, reasons: Sequence[PeerGoneError], when: str) -> None:
        late_count = sum(isinstance(reason, PeerLateError) for reason in reasons)
        if self._request.model.batch_timeout is not None and late_count == self._limits.max_late_batches:
            raise late_host_error(self._limits.batch_s, when, late_count)

    def _raise_if_out_of_memory(self, when: str) -> None:
        before, self._memory_kills = self._memory_kills, count_memory_kills()
        if self._memory_kills > before:
            raise killed_host_error(when)

    def _ensure_connection(self) -> HostConnection:
        if self._connection is None or self._connection.is_closed:
            self._connection = self._find_or_start_host(self._directory)
            self._memory_kills = count_memory_kills()
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
