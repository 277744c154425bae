"""How long this thread had to wait for a core. Runs on executors."""

from contextlib import suppress
from pathlib import Path

_SCHEDULE_FILE = "/proc/thread-self/schedstat"
"""Of Linux: nanoseconds on a core, nanoseconds in the queue for one, turns."""


def read_queued_s() -> float:
    """Seconds that this thread was ready to run and others had the cores; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(_SCHEDULE_FILE).read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0
