"""Which partitions the rows of each model are in."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from sparkscore.scoring.group_partitions import plan_group_partitions


def work_of(rows: dict[int, int], slots: int) -> tuple[int, dict[int, float]]:
    """How many partitions there are, and how many rows each has."""
    planned = plan_group_partitions(rows, slots=slots)
    filled: dict[int, float] = defaultdict(float)
    for place, (first, pieces) in planned.spans.items():
        for piece in range(first, first + pieces):
            filled[piece] += rows[place] / pieces
    return planned.count, filled


def test_two_thousand_small_groups_share_a_few_partitions() -> None:
    count, filled = work_of(dict.fromkeys(range(2_000), 500), slots=2)
    assert 6 <= count <= 8
    assert max(filled.values()) < 2 * 1_000_000 / 6


def test_a_group_with_nearly_all_rows_is_split_over_the_slots() -> None:
    rows = dict.fromkeys(range(100), 100) | {50: 990_000}
    planned = plan_group_partitions(rows, slots=4)
    assert planned.spans[50][1] >= 4
    assert sum(pieces for _, pieces in planned.spans.values()) <= 99 + 4 * 3


def test_no_rows_are_one_partition() -> None:
    assert plan_group_partitions({}, slots=8).count == 1


@given(st.dictionaries(st.integers(0, 50), st.integers(1, 3_000_000), min_size=1), st.integers(1, 64))
def test_all_rows_are_in_a_partition_that_is_there(rows: dict[int, int], slots: int) -> None:
    planned = plan_group_partitions(rows, slots=slots)
    assert planned.spans.keys() == rows.keys()
    assert all(
        first >= 0 and pieces >= 1 and first + pieces <= planned.count for first, pieces in planned.spans.values()
    )
    firsts = [planned.spans[place][0] for place in sorted(rows)]
    assert firsts == sorted(firsts)
