"""How many processes the system has ended for want of memory. Runs on executors."""

from contextlib import suppress
from pathlib import Path

_COUNT_FILES = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/proc/vmstat",
)
"""Of the container, by either version of control groups; of the machine. Each has a line `oom_kill <number>`."""


def count_memory_kills() -> int:
    """A number that grows when the kernel ends a process of this container, or of the machine, as memory ran out.

    0 where the system does not tell.
    """
    return sum(map(_read_count, _COUNT_FILES))


def _read_count(file: str) -> int:
    with suppress(OSError, ValueError):
        for line in Path(file).read_text(encoding="ascii").splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0
