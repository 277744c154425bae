"""The worker's side: a scorer that has its batches scored by the model process, which it starts where there is none."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import pyarrow as pa

from sparkscore.errors import BatchTimeout, DigestMismatch, PredictError, UnsupportedSession
from sparkscore.model.host.connection import Connection, connected
from sparkscore.model.host.executor import executor_of
from sparkscore.model.host.limits import Limits, limits_here
from sparkscore.model.host.place import Place, forget_old_places, place_of
from sparkscore.model.host.start import Spec, start
from sparkscore.model.host.wire import PeerEndedError, PeerGoneError, PeerLateError
from sparkscore.model.private import locked
from sparkscore.model.scorer import Scorer
from sparkscore.model.shipped import ShippedModel

Answer = TypeVar("Answer")

_heard = {"cpu_s": 0.0}

_TRIES = 3
_LATE_TRIES = 2
"""Of a batch with a `batch_timeout`: each costs so many seconds."""
_EVERY_S = 0.05


def cpu_beside_s() -> float:
    """Seconds of the CPU that model processes have told this worker of: each second is told to one worker alone."""
    return _heard["cpu_s"]


def _hear(cpu_s: float) -> None:
    _heard["cpu_s"] += cpu_s


class Folder(Protocol):
    """Where the model's files lie on this node; `doubted`: they had another digest, and are to be looked at again."""

    def __call__(self, *, doubted: bool) -> str:
        """The folder, in use by this process."""


def hosted(
    model: ShippedModel,
    folder: Folder,
    *,
    cores: int,
    device: str | None,
    on_load: Callable[[], None],
    limits: Limits | None = None,
) -> Scorer:
    """The model in a process that all workers of this executor share; started by the first of them that asks.

    `on_load` is called once per load, by one of the clients: now, or when the process has to be started again.

    Needs:   a model whose `predict` may run in several threads at once, as MLflow's own server has it.
    Runs on: executor.
    Raises:  UnsupportedSession anywhere but on Linux; AccessDenied; what the model raises on loading or on a batch, as
             the suite's own error; PredictError where the process ended, or did not answer, three times over;
             BatchTimeout where it did not answer twice within the model's `batch_timeout`.
    """
    if sys.platform != "linux" or not hasattr(os, "memfd_create"):
        raise UnsupportedSession(
            f"residency executor on {sys.platform}", "Linux on the executors", "set model.residency to worker"
        )
    client = _Client(model, folder, cores, device, on_load, limits or limits_here(model.batch_timeout))
    client.connect()
    return client


class _Client:
    """A scorer: one connection, one batch at a time."""

    def __init__(
        self,
        model: ShippedModel,
        folder: Folder,
        cores: int,
        device: str | None,
        on_load: Callable[[], None],
        limits: Limits,
    ) -> None:
        self._model, self._folder, self._cores, self._device = model, folder, cores, device
        self._on_load, self._limits = on_load, limits
        self._executor = executor_of(os.getpid())  # now: an orphan has another parent
        self._turn = threading.Lock()
        self._connection: Connection | None = None

    def connect(self) -> None:
        """Have a connection, so that a model that cannot be loaded says so now."""
        self._tried(lambda connection: None, "while it was loaded")

    def __call__(self, columns: Sequence[pa.Array]) -> pa.Array:
        """The predictions of the process."""
        batch = pa.record_batch(list(columns), [str(place) for place in range(len(columns))])
        return self._tried(lambda connection: connection.scored(batch, _hear), f"on a batch of {batch.num_rows} rows")

    def close(self) -> None:
        """Leave; the process goes on, and the next batch connects again."""
        if self._connection is not None:
            self._connection.close()

    def _tried(self, act: Callable[[Connection], Answer], when: str) -> Answer:
        reasons: list[PeerGoneError] = []
        with self._turn:
            while len(reasons) < _TRIES:
                try:
                    return act(self._connected())
                except PeerEndedError:
                    continue  # not this batch's fault; whoever's it is, it gives up after a few tries
                except PeerGoneError as gone:
                    reasons.append(gone)
                    self._refuse_late(reasons, when)
        raise PredictError(
            f"the model process failed {_TRIES} times {when}: it {'; it '.join(map(str, reasons))}",
            "a process that lives: one that memory ran out for, or that a batch ends, does not",
            "give executors more spark.executor.memoryOverhead, use smaller batches, or set model.residency to worker",
        )

    def _refuse_late(self, reasons: Sequence[PeerGoneError], when: str) -> None:
        late = sum(isinstance(reason, PeerLateError) for reason in reasons)
        if self._model.batch_timeout is not None and late == _LATE_TRIES:
            raise BatchTimeout(
                f"the model did not answer within {self._limits.batch_s:g} s {when}, {_LATE_TRIES} times",
                "an answer to every batch within scoring.batch_timeout",
                "give it more time, or smaller batches; keep rows that it hangs on out by a filter",
            )

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._found_or_started(place_of(self._executor, self._model, self._device))
            if self._connection.loaded_now:
                self._on_load()
        return self._connection

    def _found_or_started(self, place: Place) -> Connection:
        until = time.monotonic() + self._limits.load_s
        if not self._executor.alive:
            raise PeerGoneError("ended, and so has the executor")
        while time.monotonic() < until:
            found = connected(place, self._limits.batch_s)
            if found is not None:
                return found
            self._elected(place, until)
        raise PeerGoneError(f"was not there after {self._limits.load_s:.0f} s")

    def _elected(self, place: Place, until: float) -> None:
        """Start the process, unless another worker is doing so, or one that lives is still to be heard of."""
        try:
            lock = locked(place.lock, until=time.monotonic() + _EVERY_S)
        except FileNotFoundError:  # its predecessor has just taken the folder away
            return
        if lock is None:
            return
        try:
            alive = locked(place.alive, until=time.monotonic() + _EVERY_S)
            if alive is not None:
                self._start(place, alive, until)
        finally:
            os.close(lock)

    def _start(self, place: Place, alive: int, until: float) -> None:
        try:
            forget_old_places()
            try:
                start(self._spec(place, doubted=False), alive=alive, until=until)
            except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
                start(self._spec(place, doubted=True), alive=alive, until=until)
        finally:
            os.close(alive)

    def _spec(self, place: Place, *, doubted: bool) -> Spec:
        return Spec(
            model=self._model,
            folder=self._folder(doubted=doubted),
            cores=self._cores,
            device=self._device,
            executor=self._executor,
            place=place,
            idle_s=self._limits.idle_s,
        )
