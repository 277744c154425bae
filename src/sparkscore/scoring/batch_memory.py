"""How much memory a batch may take on an executor, and how much the last ones took. Runs on executors."""

import resource
from collections.abc import Callable

from sparkscore.model.distribution.model_cache_limits import memory_budget

DEFAULT_BATCH_BYTES = 64 << 20
"""Of the inputs of a batch, where the settings name no bound: the model and what it is given are copies of them."""
_BATCH_SHARE = 8
"""Of what the models of a worker may take, a batch's inputs have such a part at most."""
_USABLE_BUDGETS = 2
"""So many times what its models may take, a worker may take while sizes are tried: half of its share of the machine."""
_NEXT_GROWTH = 4
"""The next size that is tried takes so many times the memory."""
_LEAST_ROOM_BYTES = 256 << 20
"""There always is, as far as this can be told: a large model alone is no reason for small batches."""


def choose_batch_bytes(cores: int) -> int:
    """The bound of a batch's inputs where the settings have none: 64 MiB, less where workers have less than 2 GiB.

    Runs on: executor.
    """
    return max(1, min(DEFAULT_BATCH_BYTES, memory_budget(cores) // _BATCH_SHARE))


class MemoryWatch:
    """Sees by the greatest memory that this process ever had whether larger batches would come near its limit."""

    def __init__(self, limit_bytes: int, read_peak: Callable[[], int] | None = None) -> None:
        self._limit_bytes, self._read_peak = limit_bytes, read_peak or _peak_rss_bytes
        self._peak_bytes = self._read_peak()

    @classmethod
    def of_worker(cls, cores: int) -> "MemoryWatch":
        """For a Python worker whose tasks have so many cores."""
        return cls(_USABLE_BUDGETS * memory_budget(cores))

    def has_room_for_more(self, *, is_first: bool) -> bool:
        """Whether a larger batch than the last one fits; the first one wakes libraries up, and says nothing."""
        before, self._peak_bytes = self._peak_bytes, self._read_peak()
        growth = self._peak_bytes - before
        room = max(self._limit_bytes - self._peak_bytes, _LEAST_ROOM_BYTES)
        return is_first or growth * _NEXT_GROWTH <= room


def _peak_rss_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
