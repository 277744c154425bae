"""States of a suite's aggregates: what they hold, and when they are not used."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.gate.aggregates.column_alignment import fit_column_type
from sparkscore.gate.aggregates.gate_summary import GateSummary, merge_gate_states
from sparkscore.gate.aggregates.row_aggregates import AggregateScope, Extremes, NumberSum, RowCount
from sparkscore.gate.aggregates.value_counts import ValueCounts, ValueCountsPart
from sparkscore.gate.compiled.arrow_masks import null_mask, pattern_mask


def summary_of(fingerprint: str = "f", **more: Any) -> GateSummary:
    """Of the column x: rows, NULL, the sum, the least and the greatest value, at most two values."""
    scope = partial(AggregateScope, columns=("x",))
    aggregates = (
        RowCount(scope("rows")),
        RowCount(scope("nulls"), partial(null_mask, "x")),
        NumberSum(scope("sum")),
        Extremes(scope("extremes")),
        ValueCounts(scope("values"), ("x",), 2),
    )
    return GateSummary("input_gate", fingerprint, (("x", pa.int64()),), aggregates, **more)


def state_of(summary: GateSummary, *batches: dict[str, list[Any]]) -> bytes:
    """The state of one part of the rows."""
    state = summary.start()
    for batch in batches:
        state.add(pa.RecordBatch.from_pydict(batch))
    return state.to_bytes()


def test_states_merge_in_any_order() -> None:
    summary = summary_of()
    states = [state_of(summary, {"x": [1, None]}, {"x": [2]}), state_of(summary), state_of(summary, {"x": [2, 2]})]
    for ordered in (states, states[::-1]):
        found = merge_gate_states(summary, ordered)
        assert (found["rows"], found["nulls"], found["extremes"]) == (5, 1, [1, 2, 0])
        assert found["sum"][:4] == [4, 0, 0, 0]
        assert found["sum"][4] == 7 << 1074
        table = found["values"].rows_by_value
        assert sorted(zip(table["0"].to_pylist(), table["rows"].to_pylist(), strict=True)) == [(1, 1), (2, 3)]


def test_of_no_states_there_are_no_rows() -> None:
    found = merge_gate_states(summary_of(), [])
    assert (found["rows"], found["extremes"], found["sum"]) == (0, [None, None, 0], [0] * 6)


def test_more_batches_than_are_kept_at_once_are_all_counted() -> None:
    summary = summary_of()
    assert merge_gate_states(summary, [state_of(summary, *[{"x": [1, 2]}] * 100)])["rows"] == 200


def test_once_there_is_too_much_to_know_no_more_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, measure = [], ValueCounts.measure

    def count_and_measure(counts: ValueCounts, batch: pa.RecordBatch) -> ValueCountsPart:
        measured.append(batch)
        return measure(counts, batch)

    monkeypatch.setattr(ValueCounts, "measure", count_and_measure)
    summary = summary_of()
    state = state_of(summary, *[{"x": [3 * one + 2, 3 * one + 1, 3 * one]} for one in range(50)])
    assert "values" not in merge_gate_states(summary, [state])
    assert len(measured) == 2


def test_a_rule_that_meets_bytes_that_are_no_text_is_unknown_and_the_others_are_known() -> None:
    column = pa.array([b"a", b"\xff"], pa.binary()).view(pa.string())
    aggregates = (
        RowCount(AggregateScope("rows", ("x",))),
        RowCount(AggregateScope("matches", ("x",)), partial(pattern_mask, "x", "a")),
    )
    summary = GateSummary("input_gate", "f", (("x", pa.string()),), aggregates)
    state = summary.start()
    state.add(pa.RecordBatch.from_arrays([column], ["x"]))
    assert merge_gate_states(summary, [state.to_bytes()]) == {"rows": 2}


def test_a_state_of_another_request_is_not_used() -> None:
    assert merge_gate_states(summary_of(), [state_of(summary_of("other"), {"x": [1]})]) == {}


@pytest.mark.parametrize("batch", [{"y": [1]}, {"x": ["1"]}, {"x": [1.0]}])
def test_a_state_that_lacks_the_column_or_meets_another_type_knows_nothing(batch: dict[str, list[Any]]) -> None:
    summary = summary_of()
    assert merge_gate_states(summary, [state_of(summary, {"x": [1]}, batch, {"x": [2]})]) == {}


def test_an_aggregate_that_knows_too_much_leaves_the_others_alone() -> None:
    summary = summary_of()
    found = merge_gate_states(summary, [state_of(summary, {"x": [3, 1, 2]}), state_of(summary, {"x": [1]})])
    assert found.keys() == {"rows", "nulls", "sum", "extremes"}


def test_rows_that_are_filtered_out_are_seen_and_not_judged() -> None:
    summary = summary_of(row_filter=partial(null_mask, "x"))
    found = merge_gate_states(summary, [state_of(summary, {"x": [1, None]})])
    assert (found["rows"], found["nulls"]) == (1, 1)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1], pa.int8()), pa.int64()),
        (pa.array([0.5], pa.float32()), pa.float64()),
        (pa.array(["a"]).dictionary_encode(), pa.string()),
        (pa.array(["a"], pa.large_string()), pa.string()),
        (pa.array([datetime(2013, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "Etc/UTC")), pa.timestamp("us", "UTC")),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), pa.decimal128(10, 2)),
    ],
)
def test_a_column_of_a_narrower_type_is_taken_as_the_expected_one(column: pa.Array, expected: pa.DataType) -> None:
    found = fit_column_type(column, expected)
    assert found is not None
    assert (found.type, found.to_pylist()) == (expected, column.to_pylist())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1], pa.int64()), pa.int32()),
        (pa.array([1], pa.int64()), pa.float64()),
        (pa.array([0.5], pa.float64()), pa.float32()),
        (pa.array([datetime(2013, 1, 1)], pa.timestamp("us")), pa.timestamp("us", "UTC")),  # noqa: DTZ001 -- of no zone
        (pa.array([1], pa.timestamp("ns")), pa.timestamp("us")),
        (pa.array([Decimal("1.5")], pa.decimal128(5, 1)), pa.decimal128(10, 2)),
    ],
)
def test_a_column_that_could_change_is_not_taken(column: pa.Array, expected: pa.DataType) -> None:
    assert fit_column_type(column, expected) is None


def test_tasks_import_neither_spark_nor_settings() -> None:
    code = """
import sys
import sparkscore.gate.aggregates.gate_summary, sparkscore.gate.aggregates.value_counts
print(sorted({name.split(".")[0] for name in sys.modules} & {"pyspark", "pandas", "mlflow", "pydantic", "structlog"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
