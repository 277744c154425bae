"""States of profiles: the summary of each slice as if it were a column of its own, merged, and bounded."""

import math
import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.monitor.column_profiles import build_profiles, find_omitted_slices, read_summaries
from sparkscore.monitor.column_summary import ColumnSummary, summarise_column
from sparkscore.monitor.profile_state import (
    MAX_STATE_SUMMARIES,
    ProfileMerger,
    ProfileRequest,
    ProfileSummary,
    merge_profile_states,
)
from sparkscore.monitor.state_merge import MAX_SLICES, partition_state, read_state
from sparkscore.monitor.summary_rows import SLICE_SUMMARY_SIZE, SUMMARY_SIZE

NUMBERS = st.one_of(
    st.none(), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5]), st.just(2.0)
)
WORDS = st.one_of(st.none(), st.sampled_from(["AA", "UA", "", "é", "NULL"]))
ROWS = st.lists(st.tuples(NUMBERS, WORDS, WORDS, st.booleans()), max_size=150)
REQUEST = ProfileRequest(("x", "word", "flag", "carrier"), ("carrier",))


def batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [[row[at] for row in rows] for at in range(4)]
    kinds = {"x": pa.float64(), "word": pa.string(), "carrier": pa.string(), "flag": pa.bool_()}
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds.values(), strict=True)]
    return pa.record_batch(arrays, list(kinds))


def state_of(rows: pa.RecordBatch, request: ProfileRequest = REQUEST) -> bytes:
    state = request.start()
    state.add(rows)
    return state.to_bytes()


def assert_equal(found: ColumnSummary, expected: ColumnSummary) -> None:
    for name in ("size", "count", "nulls", "nans", "finite", "min", "max", "points", "weights", "hashes", "top"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-6)
    assert found.squares == pytest.approx(expected.squares, rel=1e-6, abs=1e-3)


@given(ROWS)
def test_a_slice_has_the_summary_of_its_rows_alone(rows: list[tuple[Any, ...]]) -> None:
    table = batch(rows)
    found = read_summaries(state_of(table))
    names = table["carrier"].fill_null("NULL")
    for column in REQUEST.columns:
        assert_equal(found[column, (None, None)], summarise_column(table[column], size=SUMMARY_SIZE))
        for value in [] if column == "carrier" else names.unique().to_pylist():
            alone = table.filter(pc.equal(names, value))[column]
            assert_equal(found[column, ("carrier", value)], summarise_column(alone, size=SLICE_SUMMARY_SIZE))


@given(ROWS, st.integers(1, 12))
def test_states_of_parts_merge_to_that_of_the_whole(rows: list[tuple[Any, ...]], parts: int) -> None:
    bounds = np.linspace(0, len(rows), parts + 1).astype(int).tolist()
    states = [state_of(batch(rows[low:high])) for low, high in pairwise(bounds)]
    whole, together = read_summaries(state_of(batch(rows))), read_summaries(merge_profile_states(states))
    assert whole.keys() == together.keys()
    for key, expected in whole.items():
        if len(expected.points) < SLICE_SUMMARY_SIZE:
            assert_equal(together[key], expected)


def test_a_slice_of_many_values_is_within_its_rank_after_merges_of_many_parts() -> None:
    generator = np.random.default_rng(1)
    values, carrier = generator.lognormal(0, 2, 200_000), pa.array(generator.choice(["AA", "UA"], 200_000))
    rows = pa.record_batch({"x": values, "carrier": carrier})
    request = ProfileRequest(("x",), ("carrier",))
    states = [state_of(rows.slice(at, 2_000), request) for at in range(0, rows.num_rows, 2_000)]
    found = read_summaries(merge_profile_states(states))["x", ("carrier", "AA")]
    ordered = np.sort(values[np.asarray(pc.equal(carrier, "AA"))])
    below = np.cumsum(found.weights)
    for level in (0.02, 0.25, 0.5, 0.75, 0.98):
        point = found.points[int(np.searchsorted(below, level * below[-1]))]
        assert abs(np.searchsorted(ordered, point) / len(ordered) - level) <= 1 / SLICE_SUMMARY_SIZE
    assert len(found.points) <= SLICE_SUMMARY_SIZE
    assert found.count == len(ordered)


def test_rows_in_many_batches_give_the_state_of_one_batch() -> None:
    rows = batch([(float(at), "AA", ["AA", "UA"][at % 2], True) for at in range(1_000)])
    state = REQUEST.start()
    for at in range(0, 1_000, 10):
        state.add(rows.slice(at, 10))
    assert state.to_bytes() == state_of(rows)


def test_a_state_does_not_hold_the_memory_that_its_rows_are_a_small_part_of() -> None:
    state = ProfileRequest(("x",)).start()
    held = []
    for _ in range(20):
        rows = pa.record_batch({"x": np.random.default_rng(1).normal(size=100_000)})
        state.add(rows.slice(50_000, 100))
        held.append(state._pending[-1].get_total_buffer_size())
    assert sum(held) < 20 * 100 * 8 * 2
    assert read_summaries(state.to_bytes())["x", (None, None)].count == 2_000


def test_equal_states_in_the_same_order_give_equal_bytes() -> None:
    states = [state_of(batch([(float(at % 97), None, f"c{at % 60}", False)] * 5)) for at in range(70)]
    assert merge_profile_states(states) == merge_profile_states(states)


def test_a_state_without_rows_merges_as_nothing() -> None:
    rows = state_of(batch([(1.0, "AA", "AA", True)]))
    nothing = REQUEST.start().to_bytes()
    assert nothing
    assert read_summaries(merge_profile_states([nothing, rows, nothing])) == read_summaries(rows)
    assert not read_summaries(merge_profile_states([]))


def test_parts_of_a_state_hold_each_slice_once() -> None:
    whole = state_of(batch([(float(at), None, f"c{at % 40}", False) for at in range(400)]))
    parts = partition_state(whole, 5)
    assert all(read_state(part).num_rows for part in parts)
    assert read_summaries(merge_profile_states(parts)) == read_summaries(whole)


def test_the_most_frequent_values_of_a_segment_are_kept_and_the_others_counted() -> None:
    carriers = [f"c{at:03d}" for at in range(120) for _ in range(1 + at)]
    state = state_of(batch([(1.0, None, one, True) for one in carriers]))
    profiles = build_profiles(read_summaries(state), log_type="input", types={})
    kept = {one.slice_value: one.count for one in profiles if one.slice_key and one.column == "x"}
    assert kept == {f"c{at:03d}": 1 + at for at in range(120 - MAX_SLICES, 120)}
    (omitted,) = find_omitted_slices(profiles)
    assert (omitted.segment, omitted.rows, omitted.count) == ("carrier", sum(range(1, 71)), len(carriers))


def test_a_segment_whose_values_are_all_kept_omits_nothing() -> None:
    profiles = build_profiles(read_summaries(state_of(batch([(1.0, "a", "AA", True)] * 3))), log_type="input", types={})
    assert find_omitted_slices(profiles) == ()


def test_many_columns_have_fewer_slices_in_a_state() -> None:
    wide = ProfileRequest(tuple(f"c{at}" for at in range(1_000)), ("a", "b"))
    assert wide.max_state_slices * 2 * 1_000 <= MAX_STATE_SUMMARIES


def test_a_merger_holds_few_states_however_many_come() -> None:
    merger = ProfileMerger()
    state = state_of(batch([(1.0, "a", "AA", True)]))
    for _ in range(300):
        merger.add(state)
    assert sum(len(level) for level in merger._levels) < 128
    assert read_summaries(merger.to_bytes())["x", (None, None)].count == 300


def test_long_texts_do_not_fill_a_state() -> None:
    texts = [f"{at:04d}" + "x" * 10_000 for at in range(2_000)]
    state = state_of(pa.record_batch({"text": texts}), ProfileRequest(("text",)))
    assert len(state) < 1 << 20
    assert read_summaries(state)["text", (None, None)].count == 2_000


def test_a_summary_travels_to_tasks_and_is_told_from_others() -> None:
    summary = ProfileSummary("input_profile", REQUEST, REQUEST.read_columns)
    copy = pickle.loads(pickle.dumps(summary))
    assert copy == summary
    assert copy.fingerprint == summary.fingerprint
    other = ProfileSummary("input_profile", ProfileRequest(("x",)), ("x",))
    assert other.fingerprint != summary.fingerprint
    state = copy.start()
    state.add(batch([(1.0, "a", "AA", True)]))
    assert state.to_bytes() == state_of(batch([(1.0, "a", "AA", True)]))
