"""What Linux tells of a process and all below it: memory at its peak, and CPU time. Elsewhere nothing is known."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.2
"""Seconds between looks. The kernel keeps each process's peak by itself; a look only has to find new processes."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    name: str
    cpu: float
    """Seconds, those of ended children included."""


def table() -> dict[int, Process]:
    """All processes; none where there is no /proc."""
    found = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            with suppress(OSError):  # ended meanwhile
                process = _parsed((entry / "stat").read_text())
                found[process.pid] = process
    return found


def below(root: int, processes: dict[int, Process] | None = None) -> dict[int, Process]:
    """A process and all its descendants."""
    processes = table() if processes is None else processes
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        if pid in processes:
            found[pid] = processes[pid]
            waiting += children.get(pid, [])
    return found


def _parsed(stat: str) -> Process:
    head, _, tail = stat.rpartition(")")
    pid, _, name = head.partition(" (")
    parts = tail.split()
    ticks = sum(int(part) for part in parts[11:15])
    return Process(int(pid), int(parts[1]), name, ticks / os.sysconf("SC_CLK_TCK"))


def busy_seconds() -> float:
    """CPU seconds that this machine has been busy with anything, the host's theft included."""
    with suppress(OSError):
        parts = [int(part) for part in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(parts) - parts[3] - parts[4]) / os.sysconf("SC_CLK_TCK")  # but idle and waiting for disks
    return 0.0


@dataclass
class Usage:
    """What a block took."""

    peak_mib: dict[str, int] = field(default_factory=dict)
    """Resident memory at its peak, summed over processes: jvm, driver, workers, all. Shared pages count in each."""
    foreign_cores: float = 0.0
    """Cores that were busy with something else than this process's descendants."""


@contextmanager
def watched(root: int) -> Iterator[Usage]:
    """A block in which the processes below `root` are watched; what is yielded is filled in at its end."""
    usage, watch, clock = Usage(), _Watch(root), os.times().elapsed
    own, busy = _cpu(), busy_seconds()
    watch.start()
    try:
        yield usage
    finally:
        watch.end()
        wall = max(os.times().elapsed - clock, 1e-3)
        usage.foreign_cores = round(max(0.0, (busy_seconds() - busy) - (_cpu() - own)) / wall, 2)
        usage.peak_mib = watch.peaks


def _cpu() -> float:
    return sum(process.cpu for process in below(os.getpid()).values())


class _Watch(threading.Thread):
    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root, self._over = root, threading.Event()
        self.peaks: dict[str, int] = {}
        for pid in below(root):
            with suppress(OSError):
                (PROC / str(pid) / "clear_refs").write_text("5")  # the peak starts anew from what is held now

    def run(self) -> None:
        while not self._over.wait(INTERVAL):
            self._look()

    def end(self) -> None:
        self._over.set()
        self.join()
        self._look()

    def _look(self) -> None:
        """The most that the living processes have held, each at its own peak."""
        sums = dict.fromkeys(("jvm", "driver", "workers", "all"), 0)
        for process in below(self._root).values():
            kind = "driver" if process.pid == self._root else "jvm" if process.name == "java" else "workers"
            held = _peak(process.pid)
            sums[kind] += held
            sums["all"] += held
        for kind, held in sums.items():
            self.peaks[kind] = max(self.peaks.get(kind, 0), round(held / MIB))


def _peak(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
