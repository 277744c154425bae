"""From cells to agreement: Spark sums the rows whose predictions lie in the same cell, and this reads what differs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import ColumnProfile, ComparedPredictions, ModelAgreement
from sparkscore.schemas import PREDICTION_COLUMN

Floats = npt.NDArray[np.float64]
PredictionKind = Literal["number", "text", "other"]
"""`other`: lists and structs, of which only equality is told."""
MAX_SLICES = 60
"""So many segments at most, those with the most rows."""
_MAX_TOP = 100


@dataclass(frozen=True, slots=True)
class CellLayout:
    """What the cells hold."""

    kind: PredictionKind
    has_labels: bool
    data_type: str
    """Of the predictions, as Spark writes it."""


def read_cells(cells: pa.Table, layout: CellLayout) -> ComparedPredictions:
    """Agreement and profiles of each slice: of all rows first, then segments by name, the most frequent values first.

    Needs:   columns as `pipelines.comparison.paired_rows` names them.
    """
    slices = _split_slices(cells)
    agreements = [_measure_slice_agreement(part, layout) for part in slices]
    profiles = [[_build_side_profile(part, side, layout) for part in slices] for side in ("champion", "challenger")]
    return ComparedPredictions(tuple(agreements), tuple(profiles[0]), tuple(profiles[1]))


def _split_slices(cells: pa.Table) -> list[pa.Table]:
    sizes = cells.group_by(["slice_key", "slice_value"]).aggregate([("rows", "sum")]).to_pylist()
    segments = [one for one in sizes if one["slice_key"] is not None]
    segments.sort(key=_frequency_order)
    kept = sorted(segments[:MAX_SLICES], key=lambda one: (one["slice_key"], *_frequency_order(one)))
    is_all = pc.is_null(cells["slice_key"])
    return [cells.filter(is_all), *(cells.filter(_is_slice(cells, one)) for one in kept)]


def _frequency_order(one: Mapping[str, Any]) -> tuple[int, str]:
    return -one["rows_sum"], str(one["slice_value"])


def _is_slice(cells: pa.Table, one: dict[str, str | None]) -> pa.ChunkedArray:
    value, column = one["slice_value"], cells["slice_value"]
    is_value = pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)
    return pc.and_(pc.fill_null(pc.equal(cells["slice_key"], one["slice_key"]), False), is_value)


def _measure_slice_agreement(part: pa.Table, layout: CellLayout) -> ModelAgreement:
    rows = int(_sum(part, "rows"))
    flips = _count_labels(part) if layout.has_labels else None
    equal = _sum(part, "equal") if flips is None else flips[0][0] + flips[1][1]
    found = ModelAgreement(
        rows,
        _first(part, "slice_key"),
        _first(part, "slice_value"),
        equal_share=equal / rows if rows else None,
        flips_up=None if flips is None else flips[0][1],
        flips_down=None if flips is None else flips[1][0],
        both_positive=None if flips is None else flips[1][1],
        both_negative=None if flips is None else flips[0][0],
    )
    return _add_number_measures(found, part) if layout.kind == "number" and _sum(part, "valid") else found


def _add_number_measures(agreement: ModelAgreement, part: pa.Table) -> ModelAgreement:
    valid = _sum(part, "valid")
    sums = {name: _sum(part, name) / valid for name in ("sum_p", "sum_q", "sum_pp", "sum_qq", "sum_pq")}
    mean_p, mean_q = sums["sum_p"], sums["sum_q"]
    variances = max(sums["sum_pp"] - mean_p**2, 0.0), max(sums["sum_qq"] - mean_q**2, 0.0)
    scale = math.sqrt(variances[0] * variances[1])
    return replace(
        agreement,
        correlation=min(max((sums["sum_pq"] - mean_p * mean_q) / scale, -1.0), 1.0) if scale > 0 else None,
        mean_absolute_difference=_sum(part, "sum_difference") / valid,
        max_absolute_difference=pc.max(part["max_difference"]).as_py(),
        champion_mean=mean_p,
        challenger_mean=mean_q,
    )


def _count_labels(part: pa.Table) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows by the champion's label, then by the challenger's."""
    counts = [[0, 0], [0, 0]]
    columns = (part[name].to_pylist() for name in ("champion_label", "challenger_label", "rows"))
    for champion, challenger, rows in zip(*columns, strict=True):
        if champion is not None and challenger is not None:
            counts[champion][challenger] += rows
    return (counts[0][0], counts[0][1]), (counts[1][0], counts[1][1])


def _build_side_profile(part: pa.Table, side: str, layout: CellLayout) -> ColumnProfile:
    rows = int(_sum(part, "rows"))
    head = (PREDICTION_COLUMN, "prediction", layout.data_type, rows)
    key, value = _first(part, "slice_key"), _first(part, "slice_value")
    if layout.kind == "number":
        return _number_profile(part, side, head, (key, value))
    cells = [(cell, count) for cell, count in _count_cell_rows(part, side) if cell is not None]
    nulls = rows - sum(count for _, count in cells)
    top = tuple((str(cell), count) for cell, count in cells[:_MAX_TOP]) if layout.kind == "text" else ()
    return ColumnProfile(*head, nulls, 0, key, value, top=top, distinct=float(len(cells)))  # type: ignore[arg-type]


def _number_profile(
    part: pa.Table, side: str, head: tuple[str, str, str, int], named: tuple[str | None, str | None]
) -> ColumnProfile:
    letter = "p" if side == "champion" else "q"
    valid = part.filter(pc.greater(part["valid"], 0))
    weights = valid["valid"].to_numpy().astype(np.float64)
    rows, left = float(weights.sum()), head[3] - int(weights.sum())
    if not rows:
        return ColumnProfile(*head, left, 0, *named)  # type: ignore[arg-type]
    sums, squares = (valid[f"sum_{name}"].to_numpy() for name in (letter, letter * 2))
    points, counts = _merge_cells(valid[f"{side}_cell"].to_numpy(), sums, weights)
    mean = float(sums.sum()) / rows
    return ColumnProfile(
        *head,  # type: ignore[arg-type]
        left,
        0,
        *named,
        min=pc.min(valid[f"min_{letter}"]).as_py(),
        max=pc.max(valid[f"max_{letter}"]).as_py(),
        mean=mean,
        stddev=math.sqrt(max(float(squares.sum()) / rows - mean**2, 0.0)),
        points=tuple(points.tolist()),
        weights=tuple(counts.tolist()),
    )


def _merge_cells(cells: Floats, sums: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The mean value of each cell, ascending, and its rows."""
    keys, place = np.unique(cells, return_inverse=True)
    rows = np.bincount(place, weights, len(keys)).astype(np.float64)
    points = np.bincount(place, sums, len(keys)) / rows
    order = np.argsort(points, kind="stable")
    return points[order], rows[order]


def _count_cell_rows(part: pa.Table, side: str) -> Sequence[tuple[str | None, int]]:
    found = part.group_by([f"{side}_cell"]).aggregate([("rows", "sum")]).to_pylist()
    pairs = [(one[f"{side}_cell"], int(one["rows_sum"])) for one in found]
    return sorted(pairs, key=lambda pair: (-pair[1], str(pair[0])))


def _sum(part: pa.Table, name: str) -> float:
    return float(pc.sum(part[name]).as_py() or 0)


def _first(part: pa.Table, name: str) -> str | None:
    value = part[name][0].as_py() if part.num_rows else None
    return None if value is None else str(value)
