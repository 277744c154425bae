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
from sparkscore.model.host.host_connection import Connection, connect_to_host
from sparkscore.model.host.host_directory import HostDirectory, locate_host_directory, remove_old_host_directories
from sparkscore.model.host.host_start import HostSpec, reap_ended_hosts, start_host_process
from sparkscore.model.host.time_limits import HostTimeLimits, private_limits, read_host_time_limits
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
    """Where the model's files lie on this node; `doubted`: they had another digest, and are to be looked at again."""

    def __call__(self, *, doubted: bool) -> str:
        """The folder, in use by this process."""


def open_host_scorer(
    model: ShippedModel,
    folder: FolderProvider,
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
        raise _not_on_this_system(private=private)
    pid = os.getpid()
    owner = find_process(pid) if private else find_executor_process(pid)  # now: an orphan has another parent
    if limits is None:
        limits = private_limits(model.batch_timeout) if private else read_host_time_limits(model.batch_timeout)
    client = HostedModel(_Wanted(model, folder, cores, device), owner, limits, private=private)
    client.count_loads(on_load)
    client.connect()
    return client


def _not_on_this_system(*, private: bool) -> UnsupportedSession:
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
class _Wanted:
    """What is to be in the process."""

    model: ShippedModel
    folder: FolderProvider
    cores: int
    device: str | None


class HostedModel:
    """A scorer: one connection, one batch at a time."""

    def __init__(self, wanted: _Wanted, owner: Process, limits: HostTimeLimits, *, private: bool) -> None:
        self._wanted, self._owner, self._limits, self._private = wanted, owner, limits, private
        self._place = locate_host_directory(owner, wanted.model, wanted.device)
        self._turn = threading.Lock()
        self._connection: Connection | None = None
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
        self._tried(lambda connection: None, "while it was loaded")

    def __call__(self, columns: Sequence[pa.Array]) -> pa.Array:
        """The predictions of the process."""
        batch = pa.record_batch(list(columns), [str(place) for place in range(len(columns))])
        return self._tried(
            lambda connection: connection.scored(batch, _add_host_cpu), f"on a batch of {batch.num_rows} rows"
        )

    def close(self) -> None:
        """Close the connection; the process continues, and the next batch connects again."""
        if self._connection is not None:
            self._connection.close()

    def end(self) -> None:
        """End the process at once, where it is private; a later batch would start another one."""
        if self._private and self._connection is not None:
            self._connection.close()
            self._connection.process.end()
            reap_ended_hosts(self._connection.process)
            self._place.left()

    def _tried(self, act: Callable[[Connection], HostAnswer], when: str) -> HostAnswer:
        reasons: list[PeerGoneError] = []
        with self._turn:
            while len(reasons) < _HOST_TRIES:
                try:
                    return act(self._connected())
                except PeerEndedError:
                    continue  # not this batch's fault; whoever's it is, it gives up after a few tries
                except PeerGoneError as gone:
                    reasons.append(gone)
                    self._refuse_late(reasons, when)
        raise PredictError(
            f"the model process failed {_HOST_TRIES} times {when}: it {'; it '.join(map(str, reasons))}",
            "a process that keeps running: it ends if it runs out of memory, or if a batch crashes it",
            "give executors more spark.executor.memoryOverhead, use smaller batches, or "
            + ("score with one model per session" if self._private else "set model.residency to worker"),
        )

    def _refuse_late(self, reasons: Sequence[PeerGoneError], when: str) -> None:
        late = sum(isinstance(reason, PeerLateError) for reason in reasons)
        if self._wanted.model.batch_timeout is not None and late == self._limits.late_tries:
            raise BatchTimeout(
                f"the model did not answer within {self._limits.batch_s:g} s {when}, {late} times",
                "an answer to every batch within scoring.batch_timeout",
                "give it more time, or smaller batches; exclude rows that it hangs on with a filter",
            )

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._found_or_started(self._place)
            if self._connection.loaded_now:
                self._on_load()
        return self._connection

    def _found_or_started(self, place: HostDirectory) -> Connection:
        until = time.monotonic() + self._limits.load_s
        if not self._owner.alive:
            raise PeerGoneError("ended, and so has the executor")
        while time.monotonic() < until:
            found = connect_to_host(place, self._limits.batch_s)
            if found is not None:
                return found
            self._elected(place, until)
        raise PeerGoneError(f"was not there after {self._limits.load_s:.0f} s")

    def _elected(self, place: HostDirectory, until: float) -> None:
        """Start the process, unless another worker is doing so, or one that lives is still to be heard of."""
        try:
            lock = acquire_file_lock(place.lock, until=time.monotonic() + _LOCK_WAIT_S)
        except FileNotFoundError:  # its predecessor has just taken the folder away
            return
        if lock is None:
            return
        try:
            alive = acquire_file_lock(place.alive, until=time.monotonic() + _LOCK_WAIT_S)
            if alive is not None:
                self._start(place, alive, until)
        finally:
            os.close(lock)

    def _start(self, place: HostDirectory, alive: int, until: float) -> None:
        try:
            remove_old_host_directories()
            try:
                start_host_process(self._spec(place, doubted=False), alive=alive, until=until)
            except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
                start_host_process(self._spec(place, doubted=True), alive=alive, until=until)
        finally:
            os.close(alive)

    def _spec(self, place: HostDirectory, *, doubted: bool) -> HostSpec:
        return HostSpec(
            model=self._wanted.model,
            folder=self._wanted.folder(doubted=doubted),
            cores=self._wanted.cores,
            device=self._wanted.device,
            executor=self._owner,
            place=place,
            idle_s=self._limits.idle_s,
        )
