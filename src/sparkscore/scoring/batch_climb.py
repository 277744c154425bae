"""How many rows the model takes best at once: tried on the run's own batches, larger ones until they pay no more. Pure.

The law: begin small, take four times as many rows for as long as rows per second grow or batches are short, then look
at twice and half of the best. Of a size its fastest batch counts, because whatever else the machine does only makes a
batch slower; and before a size is called slower than another it is looked at until two of its batches agree, or so
often that all of them can hardly have been disturbed. Of sizes that are about as fast as the fastest the smallest
wins: it takes less memory, and stops sooner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

FIRST_ROWS = 64
"""Where nothing is known: a slow model has its first answer soon, and a fast one is past this size in a millisecond."""
MAX_CLIMB_ROWS = 1 << 18
"""Nothing larger is tried."""
MAX_TRIALS = 80
"""So many batches are looked at, at most: on a quiet machine a third of it is enough."""
_STEP, _FINE_STEP = 4, 2
_ALIKE = 0.95
"""Sizes that reach this share of the greatest rate are as good."""
_CLEAR_GAIN = 1.4
"""What is so much faster than all others needs no second look."""
_SHORT_BATCH_S, _LONG_BATCH_S, _MAX_BATCH_S = 0.02, 1.0, 10.0
"""While batches take less than the first, larger ones are tried whatever these took: a turn of something else on the
core is longer. What takes longer than the second is measured surely. Nothing is tried that would take longer than the
third."""
_ROUGH_SAMPLES = 3
"""So often a short size is looked at on the way up."""
_LEAST_SAMPLES, _MOST_SAMPLES, _SIZE_S = 4, 12, 0.25
"""A size that is compared is looked at so often, and so long."""
_AGREEING = 0.97
"""Two batches whose rates are as near are not disturbed: disturbances are not alike."""
_LONG_SAMPLES = 2
_LEAST_S = 1e-9


@dataclass(frozen=True, slots=True)
class _SizeRate:
    """The rows per second that a size has reached, at best and second best."""

    rate: float = 0.0
    second_rate: float = 0.0
    samples: int = 0

    def add_rate(self, rate: float) -> "_SizeRate":
        """With one more batch."""
        _, second, best = sorted((self.second_rate, self.rate, rate))
        return _SizeRate(best, second, self.samples + 1)

    def is_sure(self, seconds: float) -> bool:
        """Whether it was looked at enough. `seconds`: what a batch takes where nothing disturbs it."""
        if seconds >= _LONG_BATCH_S:
            return self.samples >= _LONG_SAMPLES
        if self.samples < _LEAST_SAMPLES:
            return False
        return self.second_rate >= _AGREEING * self.rate or self.samples >= min(_SIZE_S / seconds, _MOST_SAMPLES)


@dataclass(frozen=True, slots=True)
class BatchClimb:
    """How far the search has come. `rows` is what the next batch is to have."""

    rows: int = FIRST_ROWS
    ceiling: int = MAX_CLIMB_ROWS
    """No batch may have more."""
    max_batch_s: float = _MAX_BATCH_S
    """No size is tried that would take longer."""
    is_climbing: bool = True
    """Whether sizes are tried one after the other; later the best one is compared with twice and half of it."""
    known_rows: int | None = None
    """What an earlier run has found. Where it takes no short batches, twice of it is the next that is tried."""
    rates: Mapping[int, _SizeRate] = field(default_factory=lambda: MappingProxyType({}))
    trials: int = 0
    is_settled: bool = False

    @classmethod
    def begin(cls, *, known_rows: int | None, ceiling: int, max_batch_s: float | None = None) -> "BatchClimb":
        """A search; `known_rows`: what an earlier run has found, where this one begins."""
        longest = _MAX_BATCH_S if max_batch_s is None else min(_MAX_BATCH_S, max_batch_s)
        return cls(min(known_rows or FIRST_ROWS, ceiling), ceiling, longest, known_rows=known_rows)

    @property
    def best_rows(self) -> int | None:
        """The best size so far; None before any was tried."""
        if not self.rates:
            return None
        return min(rows for rows, one in self.rates.items() if one.rate >= _ALIKE * self._top_rate)

    def add_batch(self, rows: int, seconds: float) -> "BatchClimb":
        """The search after one more batch. One of another size than `rows` tells nothing; nor does the first one, in
        which libraries wake up."""
        if self.is_settled or not 0.75 * self.rows <= rows <= 1.5 * self.rows:
            return self
        if self.trials == 0:
            return replace(self, trials=1)
        rate = self.rates.get(self.rows, _SizeRate()).add_rate(rows / max(seconds, _LEAST_S))
        tried = replace(self, rates=MappingProxyType({**self.rates, self.rows: rate}), trials=self.trials + 1)
        return tried._move_on(is_larger=self.rows > (self.best_rows or self.rows))  # noqa: SLF001  its own class

    def lower_ceiling(self, rows: int) -> "BatchClimb":
        """The search, or its end, where no batch may have more rows than these."""
        rates = MappingProxyType({size: rate for size, rate in self.rates.items() if size <= rows})
        climbs = self.is_climbing and self.rows <= rows
        return replace(self, ceiling=rows, rates=rates, rows=min(self.rows, rows), is_climbing=climbs)

    @property
    def _top_rate(self) -> float:
        return max(one.rate for one in self.rates.values())

    def _move_on(self, *, is_larger: bool) -> "BatchClimb":
        """The next size, or the same one again. `is_larger`: than the best one was before."""
        if self.trials >= MAX_TRIALS:
            return replace(self, rows=self.best_rows or self.rows, is_settled=True)
        if not self.is_climbing and not (is_larger and self._gains()):
            return self._compare()
        if not self._is_tried():
            return self
        if self._may_climb() and self._is_allowed(self.rows * _STEP):
            return replace(self, rows=self.rows * _STEP, is_climbing=True)
        return self._compare()

    def _is_tried(self) -> bool:
        """Whether this size was looked at enough on the way up."""
        is_short = self._expect_s(self.rows) < _SHORT_BATCH_S
        looks_enough = self.rates[self.rows].samples >= _ROUGH_SAMPLES if is_short else self._is_sure(self.rows)
        return looks_enough or self._gains()

    def _may_climb(self) -> bool:
        """Whether larger sizes may be faster."""
        if self._expect_s(self.rows) < _SHORT_BATCH_S:
            return True
        return self.rows == self.best_rows and (self.known_rows is None or len(self.rates) > 1)

    def _gains(self) -> bool:
        """Whether this size is so much faster than all others that it needs no second look."""
        others = [one.rate for rows, one in self.rates.items() if rows != self.rows]
        return bool(others) and self.rates[self.rows].rate > _CLEAR_GAIN * max(others)

    def _compare(self) -> "BatchClimb":
        """The next look at the best size, or at one beside it; the end where each of them was looked at enough."""
        best = self.best_rows or self.rows
        for rows in (best, min(best * _FINE_STEP, self.ceiling), best // _FINE_STEP):
            if self._is_allowed(rows) and not self._is_sure(rows):
                return replace(self, rows=rows, is_climbing=False)
        return replace(self, rows=best, is_climbing=False, is_settled=True)

    def _expect_s(self, rows: int) -> float:
        """What a batch of the size takes, if it is as fast as the fastest."""
        return rows / self._top_rate

    def _is_sure(self, rows: int) -> bool:
        return rows in self.rates and self.rates[rows].is_sure(self._expect_s(rows))

    def _is_allowed(self, rows: int) -> bool:
        """Whether the size is within the limits."""
        is_quick = rows <= min(self.rates) or self._expect_s(rows) <= self.max_batch_s
        return 1 <= rows <= self.ceiling and is_quick
