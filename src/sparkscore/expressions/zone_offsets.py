"""Offsets of a time zone, as a table that travels with the tasks. Executors use it: pyarrow and numpy only.

What pyarrow computes of time zones depends on the time zone files of the machine: with some it knows no summer time
after 2037, with others, or without any, it fails.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DAY_S = 86_400
CYCLE_S = 146_097 * DAY_S
"""400 years: then the calendar repeats itself, and the rules with it."""
FIRST_S, CYCLE_START_S = -62_091 * DAY_S, 47_482 * DAY_S
"""1800-01-01, before which no zone has changed; 2100-01-01, from which on each follows its last rule."""


@dataclass(frozen=True, slots=True)
class ZoneOffsets:
    """The offsets of a time zone from `FIRST_S` until a cycle after `CYCLE_START_S`. Pickled into every task."""

    starts: npt.NDArray[np.int64]
    """The seconds since 1970 at which an offset begins, ascending; the first one holds before, too."""
    offsets: npt.NDArray[np.int64]
    """Seconds east of Greenwich."""

    def to_local_micros(self, micros: pa.Array) -> pa.Array:
        """What the clock shows, for microseconds since 1970 in UTC; NULL stays."""
        instants = micros.fill_null(0).to_numpy()
        seconds = np.floor_divide(instants, 1_000_000)
        cycles = np.maximum(np.floor_divide(seconds - CYCLE_START_S, CYCLE_S), 0)
        found = np.searchsorted(self.starts, seconds - cycles * CYCLE_S, side="right") - 1
        local = instants + self.offsets[np.maximum(found, 0)] * 1_000_000
        return pa.array(local, mask=micros.is_null().to_numpy(zero_copy_only=False))
