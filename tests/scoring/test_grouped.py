"""How many splits a task of the scan takes, and when one leaves the rest to others."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.scoring.scan import grouped, leaves_rest

counts = st.integers(0, 3_000)
paces = st.floats(1e-3, 1e4)
slots = st.integers(1, 200)


@given(counts, paces, slots)
def test_every_split_is_in_one_task_in_order(count: int, each_s: float, slots: int) -> None:
    splits = list(range(7, 7 + count))
    assert list(chain(*grouped(splits, each_s=each_s, slots=slots))) == splits


@given(counts, paces, slots)
def test_tasks_differ_by_one_split_at_most_and_none_is_empty(count: int, each_s: float, slots: int) -> None:
    sizes = {len(task) for task in grouped(range(count), each_s=each_s, slots=slots)}
    assert 0 not in sizes
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(counts, paces, slots)
def test_a_task_takes_five_seconds_at_most_or_a_single_split(count: int, each_s: float, slots: int) -> None:
    assert all(len(task) == 1 or len(task) * each_s <= 5 for task in grouped(range(count), each_s=each_s, slots=slots))


@given(counts, paces, slots)
def test_all_slots_have_work_until_the_end(count: int, each_s: float, slots: int) -> None:
    tasks = grouped(range(count), each_s=each_s, slots=slots)
    assert len(tasks) % slots == 0 or len(tasks) == count


@pytest.mark.parametrize(
    ("spent_s", "done", "left", "leaves"),
    [
        (5.0, 8, 100, False),  # its time is not over
        (5.1, 8, 2, False),  # 1.3 s more
        (5.1, 8, 7, False),  # 4.5 s more
        (5.1, 8, 8, True),  # 5.1 s more
        (60.0, 1, 1, True),
    ],
)
def test_a_task_leaves_what_it_would_not_end_in_as_long_again(
    spent_s: float, done: int, left: int, leaves: bool
) -> None:
    assert leaves_rest(spent_s, done=done, left=left, within_s=5) is leaves
