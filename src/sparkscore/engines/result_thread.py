"""Results that another thread waits for, taken twice a second."""

from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")

_TICK_S = 0.5


class ResultThread(Generic[Result]):
    """A thread that takes results from an iterator, which may block, until it is stopped."""

    def __init__(self, iterate: Callable[[], Iterator[Result]], *, name: str) -> None:
        self._new: list[Result] = []
        self._error: BaseException | None = None
        self._is_stopped = Event()
        self._thread = Thread(target=self._take_results, args=(iterate,), name=name, daemon=True)
        self._thread.start()

    def ticks(self) -> Iterator[list[Result]]:
        """What has come since the last time: twice a second, and once after the end.

        Raises:  whatever the iterator has raised.
        """
        is_over = False
        while not is_over:
            self._thread.join(_TICK_S)
            is_over = not self._thread.is_alive()
            count = len(self._new)
            taken, self._new[:count] = self._new[:count], []
            yield taken
        if self._error is not None:
            raise self._error

    def stop(self, interrupt: Callable[[], None], *, seconds: float) -> None:
        """End the iteration where it still goes on, and wait so long for that; `interrupt` ends what it waits for."""
        if self._thread.is_alive():
            self._is_stopped.set()
            interrupt()
            self._thread.join(seconds)

    def _take_results(self, iterate: Callable[[], Iterator[Result]]) -> None:
        try:
            for result in iterate():
                self._new.append(result)
                if self._is_stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again where the results are taken
            self._error = error
