"""The windows into which as_ofs fall. Times are UTC: no window has 23 or 25 hours."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday: windows of 7d begin on Mondays, those of 1d at midnight."""
RUN_GRANULARITY = "run"


@dataclass(frozen=True, slots=True)
class EvaluationWindow:
    """A span of as_ofs: from start to before end; of one as_of both are it."""

    start: datetime
    end: datetime
    granularity: str

    @classmethod
    def of(cls, as_of: datetime, size: timedelta | None, granularity: str) -> "EvaluationWindow":
        """The window that an as_of falls into; without a size it is a window of its own."""
        if size is None:
            return cls(as_of, as_of, RUN_GRANULARITY)
        start = as_of - (as_of - ORIGIN) % size
        return cls(start, start + size, granularity)

    def holds(self, moment: datetime) -> bool:
        """Whether a time falls into it."""
        return self.start <= moment < self.end or moment == self.start


def select_windows(
    as_ofs: Iterable[datetime],
    *,
    size: timedelta | None,
    granularity: str,
    first: datetime | None = None,
    last: datetime | None = None,
) -> dict[EvaluationWindow, tuple[datetime, ...]]:
    """The windows that overlap the times from `first` to `last`, each with all of its as_ofs."""
    found: dict[EvaluationWindow, list[datetime]] = {}
    for as_of in sorted(as_ofs):
        found.setdefault(EvaluationWindow.of(as_of, size, granularity), []).append(as_of)
    begin = None if first is None else EvaluationWindow.of(first, size, granularity).start
    return {
        window: tuple(own)
        for window, own in found.items()
        if (begin is None or window.start >= begin) and (last is None or window.start <= last)
    }
