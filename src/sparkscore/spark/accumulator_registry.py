"""What pyspark keeps of accumulators: all of them, for as long as the process lives. A stream makes some per batch."""

from collections import deque

from pyspark import accumulators

KEPT_MARKS = 1_000
"""Tasks that end late still tell of accumulators that are so many micro-batches old."""


class AccumulatorUpkeep:
    """Forgets the accumulators that a process made long ago. Driver only, in a classic session."""

    def __init__(self, kept: int = KEPT_MARKS) -> None:
        self._marks: deque[int] = deque(maxlen=kept)

    def mark(self) -> None:
        """Forget what was made before the oldest mark that is kept; what is made now is kept until so many marks on."""
        known = getattr(accumulators, "_accumulatorRegistry", {})
        if len(self._marks) == self._marks.maxlen:
            for old in [one for one in known if one < self._marks[0]]:
                del known[old]
        self._marks.append(max(known, default=0) + 1)
