"""Counts of values, and spans of values that ascend."""

from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.gate.aggregates.row_aggregates import AggregateScope
from sparkscore.gate.aggregates.value_counts import ValueCounts, ValueCountsPart


def values_of(*columns: str, max_values: int = 100) -> ValueCounts:
    """The counts of some columns, of all rows."""
    return ValueCounts(AggregateScope("key", columns), columns, max_values)


def batch_of(**columns: list[Any]) -> pa.RecordBatch:
    """A batch."""
    return pa.RecordBatch.from_pydict(columns)


def carried(aggregate: ValueCounts, part: ValueCountsPart) -> ValueCountsPart:
    """The part as it comes back to the driver; it has to be known."""
    limited = aggregate.limit(part)
    assert limited is not None
    return aggregate.decode(aggregate.encode(limited))


@given(st.lists(st.lists(st.none() | st.integers(0, 4), max_size=6), max_size=5))
def test_parts_merge_to_the_counts_of_all_rows(parts: list[list[int | None]]) -> None:
    aggregate = values_of("x")
    typed = [pa.RecordBatch.from_arrays([pa.array(part, pa.int64())], ["x"]) for part in parts]
    merged = aggregate.merge([carried(aggregate, aggregate.measure(batch)) for batch in typed])
    counted = Counter(value for part in parts for value in part if value is not None)
    table = merged.rows_by_value
    found = {} if table is None else dict(zip(table["0"].to_pylist(), table["rows"].to_pylist(), strict=True))
    assert (found, merged.rows) == (dict(counted), counted.total())
    assert not merged.is_unique or max(counted.values(), default=0) <= 1


def test_several_columns_are_counted_together_with_null() -> None:
    aggregate = values_of("x", "y")
    part = aggregate.measure(batch_of(x=[1, 1, None, None], y=["a", "a", None, "b"]))
    table = carried(aggregate, part).rows_by_value
    assert table is not None
    assert sorted(map(repr, table.to_pylist())) == [
        "{'0': 1, '1': 'a', 'rows': 2}",
        "{'0': None, '1': 'b', 'rows': 1}",
        "{'0': None, '1': None, 'rows': 1}",
    ]


def test_zeros_are_one_value_and_nan_is_one() -> None:
    found = values_of("x").measure(batch_of(x=[0.0, -0.0, float("nan"), -float("nan")])).rows_by_value
    assert found is not None
    assert found["rows"].to_pylist() == [2, 2]


def test_spans_prove_that_values_are_unique_in_any_order_of_the_parts() -> None:
    aggregate = values_of("x", max_values=0)
    parts = [aggregate.measure(batch_of(x=list(range(start, start + 3)))) for start in (6, 0, 3)]
    assert aggregate.merge([carried(aggregate, part) for part in parts]).is_unique


def test_spans_that_touch_prove_nothing() -> None:
    aggregate = values_of("x")
    merged = aggregate.merge([aggregate.measure(batch_of(x=[1, 2, 5])), aggregate.measure(batch_of(x=[5, 6]))])
    assert not merged.is_unique
    assert merged.has_all_values


def test_text_ascends_as_its_bytes_do() -> None:
    aggregate = values_of("x")
    texts = sorted(["", "B", "a", "é", "\ue000", "😀"], key=str.encode)
    assert aggregate.measure(batch_of(x=texts)).spans == (("", "😀"),)


def test_of_too_many_values_nothing_is_known() -> None:
    aggregate = values_of("x", max_values=2)
    assert aggregate.limit(aggregate.measure(batch_of(x=[3, 1, 2]))) is None


def test_of_many_values_that_ascend_only_the_span_is_kept() -> None:
    aggregate = values_of("x", max_values=1_000_000)
    part = aggregate.limit(aggregate.measure(batch_of(x=list(range(20_000)))))
    assert part is not None
    assert (part.table, part.spans, part.rows) == (None, ((0, 19_999),), 20_000)


def test_a_value_that_repeats_after_those_that_ascend_is_not_overlooked() -> None:
    aggregate = values_of("x", max_values=1_000_000)
    first = aggregate.limit(aggregate.measure(batch_of(x=list(range(20_000)))))
    assert first is not None
    assert aggregate.limit(aggregate.merge([first, aggregate.measure(batch_of(x=[7, 7]))])) is None
