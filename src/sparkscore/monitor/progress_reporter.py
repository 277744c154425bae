"""Progress of a long part of a run: a bar on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from sparkscore.monitor.screen import Screen
from sparkscore.monitor.visible import visible_line
from sparkscore.records import ProgressReporter

log = structlog.get_logger("sparkscore")

TERMINAL_INTERVAL_S = 0.25
LOG_INTERVAL_S = 10.0


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "- rows/s")


def console_progress(console: Screen) -> ProgressReporter:
    """A reporter for this console: rows done, rows per second, time left.

    Runs on: driver, with a thread of its own; `done()` must be safe to call from it.
    """
    return _terminal_progress(console) if console.is_terminal else _log_progress


def _terminal_progress(console: Screen) -> ProgressReporter:
    @contextmanager
    def report_progress(part: str, *, total: int, done: Callable[[], int]) -> Iterator[None]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows", markup=False),
            _RowsPerSecond(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=False) as progress:
            task = progress.add_task(visible_line(part.replace("_", " ")), total=total)
            with _repeat_in_thread(TERMINAL_INTERVAL_S, lambda: progress.update(task, completed=min(done(), total))):
                yield
            progress.update(task, completed=min(done(), total))

    return report_progress


@contextmanager
def _log_progress(part: str, *, total: int, done: Callable[[], int]) -> Iterator[None]:
    start = time.monotonic()

    def log_line() -> None:
        rows = min(done(), total)
        speed = rows / (time.monotonic() - start)
        left = f"{(total - rows) / speed:,.0f} s" if speed else "unknown"
        log.info(part.replace("_", " "), rows=f"{rows:,} of {total:,}", rows_per_second=f"{speed:,.0f}", left=left)

    with _repeat_in_thread(LOG_INTERVAL_S, log_line):
        yield


@contextmanager
def _repeat_in_thread(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Repeat the action in the background during the block."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(seconds):
            action()

    thread = threading.Thread(target=loop, name="sparkscore-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
