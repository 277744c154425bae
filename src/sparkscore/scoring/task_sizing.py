"""How much of a scan each task takes, once the first tasks have reported how fast the model is. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from sparkscore.records import ScoredPart, SplitPart, SplitPosition
from sparkscore.spark.split_frame import split_evenly

TASK_S = 5.0
"""Seconds that a task of several splits takes, about; the first task of each slot takes at most twice as long."""
_LONG_TASK_FACTOR = 6
"""How many times as long a task may score one split: a part that begins inside a row group must decode what lies
before it, at worst a tenth of a second for a file of 128 MB on a disk, a second over a network."""
_MIN_TASK_S = 1.0
"""A task that scores for less costs more than it keeps: 12 ms of its slot, and a share of a job's 0.15 s."""

_UNITS_PER_PIECE = 4
"""How many units are made per piece, so that pieces are about equal."""
_MIN_SHARE = 1e-9
"""Of a split: what is left is never nothing."""

RangeLayouts = Mapping[tuple[int, int], tuple[int, int]]
"""What tasks have reported per (split, range): the rows of the range, and of a batch."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Allowance:
    """When a task ends with work left, all in seconds of scoring."""

    keep_s: float
    """The least time, if the rest would take longer than that again: what the task did is kept then."""
    idle_s: float = math.inf
    """The same if idle slots could take some of the rest; infinite if there are none."""

    @property
    def min_s(self) -> float:
        """No task ends with work left before this time."""
        return min(self.keep_s, self.idle_s)

    def is_over(self, *, spent_s: float, load_s: float, scored: float, remaining: float) -> bool:
        """Whether a task leaves the rest of its work to others.

        Needs:   `load_s`: what the model's load took it; a slot that has no model yet would have to wait as long.
        """
        remaining_s = spent_s * remaining / scored if scored else math.inf
        exceeds_keep_s = spent_s > self.keep_s and remaining_s > spent_s
        return exceeds_keep_s or (spent_s > max(self.idle_s, load_s) and remaining_s > max(spent_s, load_s))


def choose_allowance(tasks: int, *, slots: int, commit_interval_s: float, is_pace_known: bool) -> Allowance:
    """What the tasks of one job may take.

    Needs:   `commit_interval_s`: how often what is done is to be kept; `is_pace_known`: work was cut by the pace.
    """
    keep_s = longest_part_s(commit_interval_s) if is_pace_known else min(TASK_S, _raise_to_min_s(commit_interval_s))
    return Allowance(keep_s, min(_MIN_TASK_S, TASK_S) if tasks < slots else math.inf)


def longest_part_s(commit_interval_s: float) -> float:
    """What one part of a split may take where it can be cut."""
    return min(_LONG_TASK_FACTOR * TASK_S, _raise_to_min_s(commit_interval_s))


def _raise_to_min_s(commit_interval_s: float) -> float:
    return max(commit_interval_s, min(_MIN_TASK_S, TASK_S))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the tasks so far have taken for how many splits' work."""

    seconds: float = 0.0
    splits: float = 0.0

    def add_parts(self, parts: Iterable[ScoredPart]) -> "Pace":
        """The pace, with what tasks have reported since."""
        seconds, splits = self.seconds, self.splits
        for part in parts:
            seconds, splits = seconds + part.seconds, splits + part.share
        return Pace(seconds, splits)

    @property
    def split_s(self) -> float:
        """Seconds of one slot for a split. A task costs Spark about 12 ms of its slot, whatever it scores."""
        return self.seconds / self.splits if self.splits else 0.0


def assign_parts(parts: Sequence[SplitPart], *, pace: Pace, slots: int) -> list[list[SplitPart]]:
    """What each task takes, in order: as much as it can in `TASK_S`, and no slot more than another if that can be."""
    mean_part_s = pace.split_s * sum(part.share for part in parts) / len(parts) if parts else 0.0
    max_parts = -(-len(parts) // slots)
    if mean_part_s > 0:
        max_parts = max(1, int(min(max_parts, TASK_S / mean_part_s)))
    waves = -(-len(parts) // (max_parts * slots)) if parts else 0
    return split_evenly(parts, min(len(parts), waves * slots))


def cut_parts(
    parts: Sequence[SplitPart],
    *,
    pace: Pace,
    max_part_s: float,
    slots: int,
    lengths: Callable[[int], Sequence[int]],
    layouts: RangeLayouts,
) -> list[SplitPart]:
    """The parts in order, those that would take too long cut: between ranges, and between batches of a range whose rows
    a task has reported.

    Too long is longer than `max_part_s`, or than leaves work for every slot. What no task has reported on stays
    whole: its task ends in its middle, and reports then.

    Needs:   `lengths`: of a split, the bytes of each of its ranges.
    """
    if len(parts) >= slots and all(pace.split_s * part.share <= max_part_s for part in parts):
        return list(parts)
    limit_s = min(max_part_s, pace.split_s * sum(part.share for part in parts) / slots)
    cut: list[SplitPart] = []
    for part in parts:
        pieces = math.ceil(pace.split_s * part.share / limit_s - 1e-9) if limit_s > 0 else 1
        cut += _cut_into_pieces(part, pieces, lengths(part.split), layouts) if pieces > 1 else [part]
    return cut


def _cut_into_pieces(part: SplitPart, pieces: int, lengths: Sequence[int], layouts: RangeLayouts) -> list[SplitPart]:
    units = list(_iterate_units(part, pieces, lengths, layouts))
    shares = np.array([unit.share for unit in units])
    work = float(shares.sum())
    middles = np.cumsum(shares) - shares / 2
    starts = np.unique((middles / work * min(pieces, len(units))).astype(int), return_index=True)[1].tolist()
    groups = [units[low:high] for low, high in pairwise([*starts, len(units)])]
    return [
        SplitPart(part.split, group[0].first, group[-1].last, part.share * sum(one.share for one in group) / work)
        for group in groups
    ]


def _iterate_units(part: SplitPart, pieces: int, lengths: Sequence[int], layouts: RangeLayouts) -> Iterator[SplitPart]:
    """The units that pieces are built from, with shares in bytes: whole ranges, or some batches of one."""
    end = part.last or (len(lengths), 0)
    for range_index in range(part.first[0], len(lengths)):
        if (range_index, 0) >= end:
            return
        first = part.first[1] if range_index == part.first[0] else 0
        last = end[1] if range_index == end[0] else None
        rows, batch = layouts.get((part.split, range_index), (0, 0))
        if not rows:
            yield SplitPart(
                part.split, (range_index, first), _end_position(range_index, last), float(max(1, lengths[range_index]))
            )
            continue
        stop = rows if last is None else last
        step = batch * max(1, (stop - first) // (batch * pieces * _UNITS_PER_PIECE))
        for low in range(first, stop, step):
            high = min(low + step, stop)
            share = lengths[range_index] * (high - low) / rows
            yield SplitPart(
                part.split, (range_index, low), _end_position(range_index, last if high == stop else high), share
            )


def _end_position(range_index: int, last: int | None) -> SplitPosition:
    return (range_index + 1, 0) if last is None else (range_index, last)


def remaining_part(part: SplitPart, scored: ScoredPart) -> SplitPart | None:
    """What a task has not scored of a part; None where it scored all of it."""
    if scored.last >= (part.last or (scored.ranges, 0)):
        return None
    return replace(part, first=scored.last, share=max(_MIN_SHARE, part.share - scored.share))
