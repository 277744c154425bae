"""How much a task of the scan takes, when it leaves the rest to others, and how the rest is cut."""

import math
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import ScoredPart, SplitPart, SplitPosition
from sparkscore.scoring.task_sizing import Allowance, Pace, assign_parts, choose_allowance, cut_parts, remaining_part

counts = st.integers(0, 3_000)
paces = st.floats(1e-3, 1e4)
slots = st.integers(1, 200)


def splits(count: int) -> list[SplitPart]:
    return [SplitPart(number) for number in range(7, 7 + count)]


class TestDealing:
    """Parts to tasks."""

    @given(counts, paces, slots)
    def test_every_part_is_in_one_task_in_order(self, count: int, each_s: float, slots: int) -> None:
        assert list(chain(*assign_parts(splits(count), pace=Pace(each_s, 1), slots=slots))) == splits(count)

    @given(counts, paces, slots)
    def test_tasks_differ_by_one_part_at_most_and_none_is_empty(self, count: int, each_s: float, slots: int) -> None:
        sizes = {len(task) for task in assign_parts(splits(count), pace=Pace(each_s, 1), slots=slots)}
        assert 0 not in sizes
        assert not sizes or max(sizes) - min(sizes) <= 1

    @given(counts, paces, slots)
    def test_a_task_takes_five_seconds_at_most_or_a_single_part(self, count: int, each_s: float, slots: int) -> None:
        tasks = assign_parts(splits(count), pace=Pace(each_s, 1), slots=slots)
        assert all(len(task) == 1 or len(task) * each_s <= 5.001 for task in tasks)

    @given(counts, paces, slots)
    def test_all_slots_have_work_until_the_end(self, count: int, each_s: float, slots: int) -> None:
        tasks = assign_parts(splits(count), pace=Pace(each_s, 1), slots=slots)
        assert len(tasks) % slots == 0 or len(tasks) == count

    def test_the_pace_is_that_of_all_tasks_so_far(self) -> None:
        pace = Pace(4.0, 1.0).add_parts([ScoredPart(0, (0, 0), (0, 5), 1, share=0.5, seconds=2.0)])
        assert pace.split_s == 4.0


class TestLeaving:
    """When a task ends with work left."""

    @pytest.mark.parametrize(
        ("spent_s", "scored", "remaining", "leaves"),
        [
            (5.0, 8, 100, False),  # its time is not over
            (5.1, 8, 2, False),  # 1.3 s more
            (5.1, 8, 7, False),  # 4.5 s more
            (5.1, 8, 8.1, True),  # 5.2 s more
            (60.0, 1, 1.1, True),
        ],
    )
    def test_a_task_leaves_what_it_would_not_end_in_as_long_again(
        self, spent_s: float, scored: float, remaining: float, leaves: bool
    ) -> None:
        assert Allowance(5).is_over(spent_s=spent_s, load_s=0, scored=scored, remaining=remaining) is leaves

    def test_where_slots_are_idle_it_leaves_after_a_second(self) -> None:
        idle, busy = (choose_allowance(tasks, slots=2, commit_interval_s=300, is_pace_known=False) for tasks in (1, 2))
        assert idle.is_over(spent_s=1.1, load_s=0, scored=1, remaining=3)
        assert not busy.is_over(spent_s=1.1, load_s=0, scored=1, remaining=3)

    def test_idle_slots_that_would_load_the_model_longer_than_the_rest_takes_stay_idle(self) -> None:
        idle = choose_allowance(1, slots=2, commit_interval_s=300, is_pace_known=False)
        assert not idle.is_over(spent_s=1.1, load_s=4, scored=1, remaining=3)
        assert not idle.is_over(spent_s=4.1, load_s=4, scored=4, remaining=3)
        assert idle.is_over(spent_s=4.1, load_s=4, scored=1, remaining=3)

    @pytest.mark.parametrize(
        ("commit_interval_s", "is_pace_known", "keep_s"),
        [(300, False, 5), (300, True, 30), (3, False, 3), (3, True, 3), (0.1, True, 1)],
    )
    def test_no_task_goes_on_for_longer_than_what_is_done_may_wait(
        self, commit_interval_s: float, is_pace_known: bool, keep_s: float
    ) -> None:
        assert (
            choose_allowance(2, slots=2, commit_interval_s=commit_interval_s, is_pace_known=is_pace_known).keep_s
            == keep_s
        )


RANGES, ROWS, BATCH = 3, 1_000, 64
LENGTHS = (4_000, 10, 2_000)

positions = st.one_of(st.tuples(st.integers(0, RANGES - 1), st.integers(0, ROWS - 1)), st.just((RANGES, 0)))


class TestCutting:
    """Parts that would take too long."""

    @given(st.lists(positions, min_size=2, max_size=6, unique=True).map(sorted), paces, slots, st.booleans())
    def test_the_pieces_of_a_part_are_the_part(
        self, ends: list[SplitPosition], split_s: float, slots: int, told: bool
    ) -> None:
        parts = [SplitPart(1, low, high, 0.3) for low, high in pairwise(ends)]
        layouts = {(1, place): (ROWS, BATCH) for place in range(RANGES)} if told else {}
        pieces = cut_parts(
            parts,
            pace=Pace(split_s, 1),
            max_part_s=5,
            slots=slots,
            lengths=lambda _: LENGTHS,
            layouts=layouts,
        )
        assert pieces[0].first == ends[0]
        assert pieces[-1].last == ends[-1]
        assert all(one.last == other.first for one, other in pairwise(pieces))
        assert all(piece.last is not None and piece.first < piece.last for piece in pieces)
        assert math.isclose(sum(piece.share for piece in pieces), sum(part.share for part in parts))

    def cut(self, part: SplitPart, seconds: float, *, slots: int = 2, told: bool = True) -> list[SplitPart]:
        layouts = {(part.split, 0): (ROWS, BATCH)} if told else {}
        return cut_parts(
            [part, SplitPart(9, share=1e-9)],
            pace=Pace(seconds, 1),
            max_part_s=5,
            slots=slots,
            lengths=lambda _: LENGTHS[:1],
            layouts=layouts,
        )[:-1]

    def test_a_part_that_is_short_enough_stays_whole(self) -> None:
        assert self.cut(SplitPart(1), 4.9) == [SplitPart(1)]

    def test_a_long_one_is_cut_between_batches(self) -> None:
        pieces = self.cut(SplitPart(1), 27)
        assert len(pieces) == 6
        assert all(piece.first[1] % BATCH == 0 for piece in pieces)
        assert all(piece.share * 27 <= 7 for piece in pieces)

    def test_no_piece_is_smaller_than_a_batch_however_slow_the_model_is(self) -> None:
        pieces = self.cut(SplitPart(1), 1e12)
        assert len(pieces) == math.ceil(ROWS / BATCH)

    def test_a_range_of_which_nobody_has_told_stays_whole(self) -> None:
        assert self.cut(SplitPart(1), 27, told=False) == [SplitPart(1, (0, 0), (1, 0), 1.0)]

    def test_one_part_is_cut_for_all_slots_however_short_it_is(self) -> None:
        pieces = cut_parts(
            [SplitPart(1, (0, 128))],
            pace=Pace(2.0, 1),
            max_part_s=5,
            slots=4,
            lengths=lambda _: LENGTHS[:1],
            layouts={(1, 0): (ROWS, BATCH)},
        )
        assert len(pieces) == 4


class TestRest:
    """What a task has left of its part."""

    def test_it_goes_from_where_the_task_stopped_to_the_part_s_end(self) -> None:
        rest = remaining_part(SplitPart(1, share=1.0), ScoredPart(1, (0, 0), (0, 640), 3, share=0.25))
        assert rest == SplitPart(1, (0, 640), None, 0.75)

    @pytest.mark.parametrize("last", [None, (3, 0), (2, 10)])
    def test_of_a_part_that_is_done_there_is_none(self, last: SplitPosition | None) -> None:
        assert remaining_part(SplitPart(1, last=last), ScoredPart(1, (0, 0), last or (3, 0), 3)) is None
