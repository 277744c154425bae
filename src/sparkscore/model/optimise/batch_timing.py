"""Measures models side by side: each in every round, in another order each time. Runs in the optimiser's process."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from sparkscore.model.runtimes.scorer import Scorer

_LEAST_ROUNDS, _MOST_ROUNDS = 5, 40


@dataclass
class Timings:
    """What was measured of one model."""

    load_seconds: float = 0.0
    rounds: list[list[float]] = field(default_factory=list)
    """Seconds of each batch, by round."""


def time_rounds(
    scorers: Mapping[str, Scorer], batches: Sequence[Sequence[pa.Array]], *, seconds: float
) -> dict[str, Timings]:
    """The seconds of each batch: at least five rounds, more while there is time. One round before them is not counted.

    The order turns from round to round: what comes after a heavy one finds a warm processor and cold caches.
    """
    timings = {name: Timings() for name in scorers}
    for score in scorers.values():
        score(batches[0])
    began, names = time.monotonic(), list(scorers)
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and time.monotonic() - began > seconds:
            break
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            timings[name].rounds.append([_time_batch(scorers[name], batch) for batch in batches])
    return timings


def _time_batch(score: Scorer, batch: Sequence[pa.Array]) -> float:
    begun = time.perf_counter()
    score(batch)
    return time.perf_counter() - begun
