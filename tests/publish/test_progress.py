"""What the commits of a stage add up to; no Spark."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.publish.progress import NOTHING, chunk_note, numbers, progress, ranges

Note = Mapping[str, Any]


def file(rows: int = 10, rejected: int = 0, first: object = None, last: object = None) -> dict[str, Any]:
    ends = {"ascending": first is not None, "first": first, "last": last}
    return {"path": "p", "rows": rows, "rejected": rejected, "bytes": 1, **ends}


def chunk(*splits: int, of: int = 4, plan: str = "plan", files: int = 1) -> Note:
    done = {number: [file(first=number * 10, last=number * 10 + 9)] * files for number in splits}
    note: Note = json.loads(json.dumps(chunk_note(plan, 1_000, of, done)))
    return note


@given(st.frozensets(st.integers(0, 400)))
def test_numbers_as_ranges_are_the_same_numbers(some: frozenset[int]) -> None:
    assert numbers(ranges(some)) == some


@given(
    st.integers(1, 30).flatmap(lambda of: st.tuples(st.just(of), st.lists(st.integers(0, 4), min_size=of, max_size=of)))
)
def test_a_stage_is_whole_when_each_split_is_in_a_chunk_and_not_before(plan: tuple[int, list[int]]) -> None:
    of, places = plan
    chunks = [[split for split in range(of) if places[split] == place] for place in range(5)]
    notes = [chunk(*splits, of=of) for splits in chunks if splits]
    for count in range(len(notes) + 1):
        found = progress(enumerate(notes[:count]))
        assert found.rows == 10 * len(found.done)
        assert found.whole == (count == len(notes))
    assert found.done == frozenset(range(of))
    assert (found.version, found.chunks) == (len(notes) - 1, len(notes))


def test_no_commit_is_no_stage() -> None:
    assert progress([]) == NOTHING
    assert not NOTHING.whole


def test_a_split_without_rows_is_done_all_the_same() -> None:
    found = progress([(0, chunk(0, 1, of=2, files=0))])
    assert (found.whole, found.rows) == (True, 0)


def test_a_reset_forgets_what_was_before_it_and_the_versions_go_on() -> None:
    found = progress([(0, chunk(0, 1)), (1, {"stage": "reset"}), (2, chunk(3))])
    assert (found.version, found.done, found.rows, found.chunks) == (2, frozenset({3}), 10, 1)


def test_a_stage_that_spark_wrote_is_whole_and_has_to_be_counted() -> None:
    found = progress([(0, {"stage": "whole"})])
    assert (found.whole, found.rows, found.keys_ascend) == (True, None, False)


def test_after_a_commit_of_somebody_else_the_rows_have_to_be_counted() -> None:
    found = progress([(0, chunk(0, 1, 2, 3)), (1, {})])
    assert (found.whole, found.rows) == (True, None)


@pytest.mark.parametrize(("ends", "proven"), [([(0, 9), (10, 19)], True), ([(10, 19), (0, 10)], False)])
def test_keys_of_several_chunks_are_unique_where_their_files_do_not_overlap(
    ends: list[tuple[int, int]], proven: bool
) -> None:
    notes = [chunk_note("plan", 1, 2, {n: [file(first=low, last=high)]}) for n, (low, high) in enumerate(ends)]
    assert progress(enumerate(notes)).keys_ascend == proven


def test_one_file_whose_keys_do_not_ascend_leaves_the_proof_to_a_count() -> None:
    notes = [chunk_note("plan", 1, 2, {0: [file(first=0, last=9)]}), chunk_note("plan", 1, 2, {1: [file()]})]
    assert not progress(enumerate(notes)).keys_ascend
