"""Which executor a process belongs to, and when that one ends. Reads /proc."""

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_JVM_COMMAND = "java"
_STATE, _PARENT, _START_TICKS = 0, 1, 19
"""Places in /proc/<pid>/stat, counted after the name."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process, not to be mistaken for a later one of the same number."""

    pid: int
    start_ticks: int
    """In clock ticks since the machine's start."""

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        current = _read_process_stat(self.pid)
        return current is not None and current.start_ticks == self.start_ticks and current.state not in "ZX"

    def kill(self) -> None:
        """End it at once, even if it is stopped, but not another process that now has its number."""
        with suppress(ProcessLookupError):
            descriptor = _open_pidfd(self)
            if descriptor is None:
                if self.is_alive:
                    os.kill(self.pid, signal.SIGKILL)
                return
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)


def find_process(pid: int) -> Process:
    """The process that has this number now."""
    process_stat = _read_process_stat(pid)
    return Process(pid, -1 if process_stat is None else process_stat.start_ticks)


def find_executor_process(pid: int) -> Process:
    """The nearest ancestor that is a JVM, which started Spark's Python daemon; without one, the parent."""
    parent = ancestor = _read_parent_stat(pid)
    while ancestor.name != _JVM_COMMAND and ancestor.parent_pid > 0:
        ancestor = _read_parent_stat(ancestor.pid)
    executor = ancestor if ancestor.name == _JVM_COMMAND else parent
    return Process(executor.pid, executor.start_ticks)


def wait_for_process_end(process: Process, *, interval_s: float = 1.0) -> None:
    """Return when the process has ended: at once by a pidfd, on kernels without them by looking at intervals."""
    descriptor = _open_pidfd(process)
    if descriptor is None:
        while process.is_alive:
            time.sleep(interval_s)
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.close(descriptor)


def _open_pidfd(process: Process) -> int | None:
    """A descriptor of this very process; None where it is gone, or the kernel has no such thing."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if process.is_alive:
        return descriptor
    os.close(descriptor)  # the number is another process's by now
    return None


@dataclass(frozen=True, slots=True)
class _ProcessStat:
    pid: int
    name: str
    state: str
    parent_pid: int
    start_ticks: int


def _read_parent_stat(pid: int) -> _ProcessStat:
    """The parent, as far as it can be seen."""
    child = _read_process_stat(pid)
    parent = None if child is None else _read_process_stat(child.parent_pid)
    return parent if parent is not None else _ProcessStat(0, "", "", 0, 0)


def _read_process_stat(pid: int) -> _ProcessStat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name, _, tail = text.partition("(")[2].rpartition(")")  # the name may hold anything
    fields = tail.split()
    return _ProcessStat(pid, name, fields[_STATE], int(fields[_PARENT]), int(fields[_START_TICKS]))
