"""What is read of cells that Spark has summed."""

from typing import Any

import pyarrow as pa
import pytest

from sparkscore.monitor.comparison.prediction_cells import MAX_SLICES, CellLayout, read_cells

NUMBERS = CellLayout("number", has_labels=True, data_type="double")


def cell(
    p: float, q: float, rows: int = 1, *, slice_key: str | None = None, value: str | None = None
) -> dict[str, Any]:
    """Rows of one pair of predictions."""
    sums = {"sum_p": p, "sum_q": q, "sum_pp": p * p, "sum_qq": q * q, "sum_pq": p * q, "sum_difference": abs(p - q)}
    ends = {"min_p": p, "max_p": p, "min_q": q, "max_q": q, "max_difference": abs(p - q)}
    names = {"slice_key": slice_key, "slice_value": value, "champion_cell": p, "challenger_cell": q}
    labels = {"champion_label": int(p >= 0.5), "challenger_label": int(q >= 0.5)}
    counts = {"rows": rows, "valid": rows, "equal": rows * (p == q)}
    return {**names, **labels, **counts, **ends, **{name: one * rows for name, one in sums.items()}}


def table(*cells: dict[str, Any]) -> pa.Table:
    schema = pa.schema([("slice_key", pa.string()), ("slice_value", pa.string())])
    rest = [
        pa.field(name, pa.float64() if isinstance(value, float) else pa.int64()) for name, value in cells[0].items()
    ]
    return pa.Table.from_pylist(list(cells), pa.schema([*schema, *rest[2:]]))


def test_equal_predictions_agree_wholly_and_do_not_differ() -> None:
    found = read_cells(table(cell(0.2, 0.2, 30), cell(0.8, 0.8, 10)), NUMBERS)
    (agreement,) = found.agreements
    assert (agreement.rows, agreement.equal_share, agreement.flip_share) == (40, 1.0, 0.0)
    assert agreement.correlation == pytest.approx(1.0)
    assert agreement.max_absolute_difference == 0.0
    assert found.champion == found.challenger
    assert (found.champion[0].points, found.champion[0].weights) == ((0.2, 0.8), (30.0, 10.0))
    assert found.champion[0].mean == pytest.approx(0.35)


def test_a_constant_model_has_no_correlation() -> None:
    (agreement,) = read_cells(table(cell(0.2, 0.5, 30), cell(0.8, 0.5, 10)), NUMBERS).agreements
    assert agreement.correlation is None
    assert (agreement.flips_up, agreement.flips_down, agreement.both_positive) == (30, 0, 10)


def test_segments_come_by_name_and_those_with_few_rows_are_left_out() -> None:
    segments = [cell(0.1, 0.2, rows, slice_key="shop", value=f"s{rows}") for rows in range(1, MAX_SLICES + 11)]
    nothing = cell(0.1, 0.2, 500, slice_key="shop", value=None)
    found = read_cells(table(cell(0.1, 0.2, 5000), nothing, *segments), NUMBERS).agreements
    assert found[0].slice_key is None
    assert len(found) == 1 + MAX_SLICES
    assert (found[1].slice_key, found[1].slice_value, found[1].rows) == ("shop", None, 500)
    assert found[-1].rows == 12


def test_classes_are_counted_by_their_names() -> None:
    rows = [("a", "a", 5, 5), ("a", "b", 2, 0), (None, "b", 1, 0)]
    cells = pa.table(
        {
            "slice_key": pa.nulls(3, pa.string()),
            "slice_value": pa.nulls(3, pa.string()),
            **{
                name: [row[at] for row in rows]
                for at, name in enumerate(("champion_cell", "challenger_cell", "rows", "equal"))
            },
        }
    )
    found = read_cells(cells, CellLayout("text", has_labels=False, data_type="string"))
    assert found.agreements[0].equal_share == pytest.approx(5 / 8)
    assert found.champion[0].top == (("a", 7),)
    assert found.champion[0].nulls == 1
    assert dict(found.challenger[0].top) == {"a": 5, "b": 3}
