"""How the size of batches is searched: on simulated models, no clock."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkscore.scoring.batch_climb import FIRST_ROWS, MAX_CLIMB_ROWS, MAX_TRIALS, BatchClimb

Model = Callable[[int], float]
"""Rows of a batch -> the seconds that it takes."""


def taking(per_call: float, per_row: float, *, slower_beyond: int = MAX_CLIMB_ROWS, by: float = 0.0) -> Model:
    """So many seconds for a call and for a row; for a row beyond some, a share more: caches are full."""
    return lambda rows: per_call + per_row * (rows + by * max(0, rows - slower_beyond))


LIGHT, PANDAS, GPU = taking(2e-4, 5e-8), taking(3e-3, 1e-7), taking(2e-3, 1e-8)
HEAVY, WIDE, REMOTE = taking(5e-4, 1e-5), taking(5e-2, 5e-6), taking(0.3, 1e-5)
CACHED, SLOW = taking(1e-4, 2e-7, slower_beyond=4_096, by=0.7), taking(1e-2, 0.5)
MODELS = (LIGHT, PANDAS, GPU, HEAVY, WIDE, REMOTE, CACHED, SLOW)
FEW_TRIALS = 36
"""On a machine that nothing else uses."""
RUNS = 250
"""Simulated runs of each model; the same ones each time."""


@dataclass(frozen=True)
class Machine:
    """What else a batch takes on a busy machine. Others slow a batch down, never speed it up."""

    interrupted: float = 0.0
    """How likely something else has the core for 3 to 40 ms, in each tenth of a second that a batch has begun."""
    jitter: float = 0.0
    """What batches of one size differ by, as a share."""
    wake_up_s: float = 0.05
    """The very first batch takes so much longer."""
    first_of_size: float = 1.0
    """The first batch of each size takes so many times as long."""

    def disturb(self, seconds: float, chance: random.Random) -> float:
        """The seconds that the batch takes here."""
        turns = sum(chance.random() < self.interrupted for _ in range(1 + int(10 * seconds)))
        slower = 1 + abs(chance.gauss(0, self.jitter))
        return seconds * slower + sum(chance.uniform(0.003, 0.04) for _ in range(turns))


def busy(interrupted: float) -> Machine:
    """One that others use, too."""
    return Machine(interrupted, jitter=0.05, wake_up_s=1.0, first_of_size=1.3)


def search(
    model: Model, machine: Machine = Machine(), *, seed: int = 0, climb: BatchClimb | None = None
) -> tuple[BatchClimb, list[int]]:
    """The search at its end, and the rows of each batch that it took."""
    chance, tried = random.Random(seed), list[int]()
    climb = climb or BatchClimb.begin(known_rows=None, ceiling=MAX_CLIMB_ROWS)
    while not climb.is_settled:
        seconds = machine.disturb(model(climb.rows), chance)
        if climb.rows not in tried:
            seconds *= machine.first_of_size
        tried.append(climb.rows)
        climb = climb.add_batch(climb.rows, seconds + (machine.wake_up_s if len(tried) == 1 else 0))
    return climb, tried


def share_of_best(model: Model, rows: int) -> float:
    """The rows per second of a size, as a share of what the best size of a full sweep has."""
    return rows / model(rows) / best_rate(model)


@cache
def best_rate(model: Model) -> float:
    """Of a full sweep."""
    sizes = [1 << power for power in range(MAX_CLIMB_ROWS.bit_length())]
    return max(size / model(size) for size in sizes if size == 1 or model(size) <= 10)


@pytest.mark.parametrize("model", MODELS)
def test_it_ends_within_a_tenth_of_the_best_of_a_full_sweep_after_few_batches(model: Model) -> None:
    climb, tried = search(model)
    assert len(tried) <= FEW_TRIALS
    assert climb.rows == climb.best_rows
    assert share_of_best(model, climb.rows) >= 0.9


def hits(model: Model, machine: Machine, known_rows: int | None = None) -> list[bool]:
    """Of each run whether it reaches nine tenths of the best rate; none takes more batches than it may."""
    found = []
    for seed in range(RUNS):
        begin = BatchClimb.begin(known_rows=known_rows, ceiling=MAX_CLIMB_ROWS)
        climb, tried = search(model, machine, seed=seed, climb=begin)
        assert len(tried) <= MAX_TRIALS
        found.append(share_of_best(model, climb.rows) >= 0.9)
    return found


@pytest.mark.parametrize("interrupted", [0.1, 0.3, 0.5])
def test_on_a_busy_machine_nearly_every_run_finds_a_size_near_the_best(interrupted: float) -> None:
    found = [hits(model, busy(interrupted)) for model in MODELS]
    assert sum(map(sum, found)) >= 0.995 * RUNS * len(MODELS)
    assert min(map(sum, found)) >= 0.985 * RUNS


@pytest.mark.parametrize("interrupted", [0.1, 0.5])
def test_a_run_that_remembers_far_too_few_rows_leaves_them_behind(interrupted: float) -> None:
    found = [hits(model, busy(interrupted), known_rows=64) for model in MODELS]
    assert sum(map(sum, found)) >= 0.995 * RUNS * len(MODELS)
    assert min(map(sum, found)) >= 0.985 * RUNS


@pytest.mark.parametrize("disturbed", range(1, 5))
def test_whichever_sizes_were_disturbed_on_the_way_up_it_ends_near_the_best(disturbed: int) -> None:
    for sizes in combinations((64, 256, 1_024, 4_096, 16_384), disturbed):
        climb, looks = BatchClimb.begin(known_rows=None, ceiling=MAX_CLIMB_ROWS), dict.fromkeys(sizes, 3)
        while not climb.is_settled:
            looks[climb.rows] = looks.get(climb.rows, 0) - 1
            climb = climb.add_batch(climb.rows, LIGHT(climb.rows) + (0.04 if looks[climb.rows] >= 0 else 0))
        assert share_of_best(LIGHT, climb.rows) >= 0.9


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("factor", [0.125, 1, 4])
def test_what_an_earlier_run_has_found_is_where_it_begins(model: Model, factor: float) -> None:
    known = max(1, int(search(model)[0].rows * factor))
    climb, tried = search(model, climb=BatchClimb.begin(known_rows=known, ceiling=MAX_CLIMB_ROWS))
    assert tried[0] == min(known, MAX_CLIMB_ROWS)
    assert share_of_best(model, climb.rows) >= 0.9
    if factor == 1:
        assert len(tried) <= 24


def test_beyond_what_an_earlier_run_has_found_only_twice_as_much_is_tried_where_batches_are_not_short() -> None:
    _, tried = search(WIDE, climb=BatchClimb.begin(known_rows=32_768, ceiling=MAX_CLIMB_ROWS))
    assert tried[0] == 32_768
    assert next(rows for rows in tried if rows != tried[0]) == 2 * 32_768


def test_a_slow_model_has_its_first_answer_after_few_rows_and_gets_batches_of_seconds() -> None:
    climb, tried = search(SLOW)
    assert tried[0] == FIRST_ROWS
    assert max(tried) == FIRST_ROWS
    assert SLOW(climb.rows) < 10


def test_of_sizes_that_are_as_fast_the_smallest_wins() -> None:
    climb, _ = search(taking(0, 1e-5))
    assert climb.rows == min(climb.rates)


def test_no_size_is_tried_that_would_take_longer_than_it_may() -> None:
    _, tried = search(LIGHT, climb=BatchClimb.begin(known_rows=None, ceiling=MAX_CLIMB_ROWS, max_batch_s=0.001))
    assert 0.00025 < max(map(LIGHT, tried)) <= 0.001


def test_batches_of_other_sizes_tell_nothing() -> None:
    climb = BatchClimb.begin(known_rows=None, ceiling=MAX_CLIMB_ROWS)
    assert climb.add_batch(FIRST_ROWS // 2, 1.0) == climb.add_batch(FIRST_ROWS * 2, 1.0) == climb


@given(per_call=st.floats(1e-6, 1), per_row=st.floats(1e-9, 1), ceiling=st.integers(1, MAX_CLIMB_ROWS), known=st.data())
@settings(max_examples=100)
def test_whatever_the_model_it_ends_and_never_tries_more_rows_than_it_may(
    per_call: float, per_row: float, ceiling: int, known: st.DataObject
) -> None:
    begin = known.draw(st.none() | st.integers(1, MAX_CLIMB_ROWS))
    climb, tried = search(taking(per_call, per_row), climb=BatchClimb.begin(known_rows=begin, ceiling=ceiling))
    assert len(tried) <= MAX_TRIALS
    assert all(1 <= rows <= ceiling for rows in (*tried, climb.rows))


@given(limit=st.integers(1, 70_000), seed=st.integers(0, 20))
def test_where_larger_batches_have_no_room_it_ends_with_the_best_that_has(limit: int, seed: int) -> None:
    climb, halved = BatchClimb.begin(known_rows=None, ceiling=MAX_CLIMB_ROWS), 0
    chance = random.Random(seed)
    while not climb.is_settled:
        rows = climb.rows
        if rows > limit:
            climb, halved = climb.lower_ceiling(rows // 2), halved + 1
        else:
            climb = climb.add_batch(rows, LIGHT(rows) * (1 + 0.1 * chance.random()))
    assert limit / 4 < climb.rows <= limit
    assert halved <= 8
