"""What the commits of a stage add up to; no Spark."""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.records import ScoredPart, StagedFile
from sparkscore.stage.stage_progress import (
    NO_PROGRESS,
    build_chunk_note,
    format_number_ranges,
    parse_number_ranges,
    progress_from_commits,
)

Note = Mapping[str, Any]


def file(rows: int = 10, rejected: int = 0, first: object = None, last: object = None) -> StagedFile:
    return StagedFile("p", rows, rejected, 1, ascending=first is not None, first=first, last=last)


def chunk(*splits: int, of: int = 4, plan: str = "plan", files: int = 1) -> Note:
    done = [split(number, *[file(first=number * 10, last=number * 10 + 9)] * files) for number in splits]
    return note(*done, of=of, plan=plan)


def note(*parts: ScoredPart, of: int = 4, plan: str = "plan") -> Note:
    written: Note = json.loads(json.dumps(build_chunk_note(plan, 1_000, of, parts)))
    return written


def split(number: int, *files: StagedFile) -> ScoredPart:
    return ScoredPart(number, (0, 0), (3, 0), 3, files)


POSITIONS = [(place, row) for place in range(3) for row in range(4)] + [(3, 0)]
"""Of a split of three ranges."""


@given(st.data())
def test_parts_in_any_order_make_a_split_whole_with_the_last_of_them(data: st.DataObject) -> None:
    inner = data.draw(st.lists(st.sampled_from(POSITIONS[1:-1]), unique=True).map(sorted))
    ends = [POSITIONS[0], *inner, POSITIONS[-1]]
    spans = data.draw(st.permutations(list(pairwise(ends))))
    found = NO_PROGRESS
    for version, (first, last) in enumerate(spans):
        assert found.is_missing(ScoredPart(0, first, last, 3))
        assert not found.is_complete
        found = progress_from_commits([(version, note(ScoredPart(0, first, last, 3, (file(),)), of=1))], found)
        assert not found.is_missing(ScoredPart(0, first, last, 3))
        missing = {(gap.first, gap.last or (3, 0)) for gap in found.find_missing_parts(0)}
        assert all(low < high for low, high in missing)
        covered = sum(POSITIONS.index(high) - POSITIONS.index(low) for low, high in spans[: version + 1])
        gaps = sum(POSITIONS.index(high) - POSITIONS.index(low) for low, high in missing)
        assert covered + gaps == len(POSITIONS) - 1
    assert (found.is_complete, found.rows, found.find_missing_parts(0)) == (True, 10 * len(spans), [])


def test_a_part_that_overlaps_with_what_is_there_is_not_lacking() -> None:
    found = progress_from_commits([(0, note(ScoredPart(0, (0, 0), (1, 2), 3)))])
    assert not found.is_missing(ScoredPart(0, (1, 0), (3, 0), 3))
    assert found.is_missing(ScoredPart(0, (1, 2), (3, 0), 3))


def test_notes_without_parts_are_read_as_before() -> None:
    older = {name: value for name, value in chunk(0, 1, of=2).items() if name != "parts"}
    assert progress_from_commits([(0, older)]).is_complete


@given(st.frozensets(st.integers(0, 400)))
def test_numbers_as_ranges_are_the_same_numbers(some: frozenset[int]) -> None:
    assert parse_number_ranges(format_number_ranges(some)) == some


@given(
    st.integers(1, 30).flatmap(lambda of: st.tuples(st.just(of), st.lists(st.integers(0, 4), min_size=of, max_size=of)))
)
def test_a_stage_is_whole_when_each_split_is_in_a_chunk_and_not_before(plan: tuple[int, list[int]]) -> None:
    of, places = plan
    chunks = [[split for split in range(of) if places[split] == place] for place in range(5)]
    notes = [chunk(*splits, of=of) for splits in chunks if splits]
    for count in range(len(notes) + 1):
        found = progress_from_commits(enumerate(notes[:count]))
        assert found.rows == 10 * len(found.done)
        assert found.is_complete == (count == len(notes))
    assert found.done == frozenset(range(of))
    assert (found.version, found.chunks) == (len(notes) - 1, len(notes))


def test_no_commit_is_no_stage() -> None:
    assert progress_from_commits([]) == NO_PROGRESS
    assert not NO_PROGRESS.is_complete


def test_a_split_without_rows_is_done_all_the_same() -> None:
    found = progress_from_commits([(0, chunk(0, 1, of=2, files=0))])
    assert (found.is_complete, found.rows) == (True, 0)


def test_a_reset_forgets_what_was_before_it_and_the_versions_go_on() -> None:
    found = progress_from_commits([(0, chunk(0, 1)), (1, {"stage": "reset"}), (2, chunk(3))])
    assert (found.version, found.done, found.rows, found.chunks) == (2, frozenset({3}), 10, 1)


def test_a_stage_that_spark_wrote_is_whole_and_has_to_be_counted() -> None:
    found = progress_from_commits([(0, {"stage": "whole"})])
    assert (found.is_complete, found.rows, found.keys_ascend) == (True, None, False)


def test_after_a_commit_of_somebody_else_the_rows_have_to_be_counted() -> None:
    found = progress_from_commits([(0, chunk(0, 1, 2, 3)), (1, {})])
    assert (found.is_complete, found.rows) == (True, None)


@pytest.mark.parametrize(("ends", "proven"), [([(0, 9), (10, 19)], True), ([(10, 19), (0, 10)], False)])
def test_keys_of_several_chunks_are_unique_where_their_files_do_not_overlap(
    ends: list[tuple[int, int]], proven: bool
) -> None:
    notes = [
        build_chunk_note("plan", 1, 2, [split(n, file(first=low, last=high))]) for n, (low, high) in enumerate(ends)
    ]
    assert progress_from_commits(enumerate(notes)).keys_ascend == proven


def test_one_file_whose_keys_do_not_ascend_leaves_the_proof_to_a_count() -> None:
    notes = [
        build_chunk_note("plan", 1, 2, [split(0, file(first=0, last=9))]),
        build_chunk_note("plan", 1, 2, [split(1, file())]),
    ]
    assert not progress_from_commits(enumerate(notes)).keys_ascend
