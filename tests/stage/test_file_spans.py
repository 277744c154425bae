"""Sets of rows of files, as spans."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import FileSpan
from sparkscore.stage.file_spans import NO_SPANS, FileSpans, add_file_spans, has_common_rows, list_file_spans

SPAN = st.tuples(st.integers(-1, 1), st.sampled_from([0, 64]), st.integers(0, 20), st.integers(1, 8)).map(
    lambda span: (*span[:3], span[2] + span[3])
)
SPANS = st.lists(SPAN, max_size=8)


def rows_of(spans: FileSpans | list[FileSpan]) -> set[tuple[int, int, int]]:
    listed = spans if isinstance(spans, list) else list_file_spans(spans)
    return {(file, block, row) for file, block, first, end in listed for row in range(first, end)}


@given(SPANS, SPANS)
def test_added_spans_hold_the_rows_of_both_and_no_two_of_them_meet(some: list[FileSpan], more: list[FileSpan]) -> None:
    found = add_file_spans(add_file_spans(NO_SPANS, some), more)
    assert rows_of(found) == rows_of(some) | rows_of(more)
    for ranges in found.values():
        assert all(low[1] < high[0] for low, high in pairwise(ranges))


@given(SPANS, SPANS)
def test_spans_have_common_rows_where_sets_of_rows_have(some: list[FileSpan], more: list[FileSpan]) -> None:
    other = add_file_spans(NO_SPANS, more)
    assert has_common_rows(some, other) == bool(rows_of(some) & rows_of(more))
