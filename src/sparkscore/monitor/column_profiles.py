"""Profiles of columns: computed by the tasks that read the files, one summary per task, merged on the driver."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.monitor.column_summary import ColumnSummary, merge_summaries, summarise_column
from sparkscore.records import ColumnProfile, FileScan, SplitReader
from sparkscore.spark.split_frame import create_split_frame, iterate_splits

MAX_SLICES = 50
"""Greatest number of values of a segment, those with the most rows; a hundred slices give no overview."""
MAX_TOP_VALUES = 50
"""Number of most frequent values that are kept."""
SUMMARY_SIZE, SLICE_SUMMARY_SIZE = 256, 64
"""Points and hashes of a column: 2 kB each, and a quarter of it in a slice."""
_BLOCK_ROWS = 262_144
_WAVES = 2

SliceKey = tuple[str | None, str | None]
ColumnSummaries = dict[tuple[str, SliceKey], ColumnSummary]

_SUMMARY_SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("slice_key", pa.string()),
        ("slice_value", pa.string()),
        *((name, pa.int64()) for name in ("size", "count", "nulls", "nans")),
        *((name, pa.float64()) for name in ("min", "max", "mean", "squares")),
        *((name, pa.list_(pa.float64())) for name in ("points", "weights")),
        ("hashes", pa.list_(pa.int64())),
        ("top", pa.list_(pa.struct([("value", pa.string()), ("rows", pa.int64())]))),
    ]
)


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What is profiled."""

    columns: tuple[str, ...]
    segments: tuple[str, ...] = ()
    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    """From the rows that are read to those that have the columns. Pickled into every task."""


def summarise_files(spark: SparkSession, files: FileScan, request: ProfileRequest) -> ColumnSummaries:
    """The summaries of files that tasks read themselves.

    Jobs:    one Spark job; per task one summary of each column and slice reaches the driver.
    Raises:  what reading raises: ScanUnsupported, ConfigError.
    """
    splits, slots = len(files.splits), spark.sparkContext.defaultParallelism
    if not splits:
        return {}
    bounds = np.linspace(0, splits, min(splits, _WAVES * slots) + 1).astype(int).tolist()
    tasks = [list(range(low, high)) for low, high in pairwise(bounds)]
    frame = create_split_frame(spark, files.splits, tasks)
    return _collect_summaries(
        frame.mapInArrow(_SplitSummariser(files.reader, request), from_arrow_schema(_SUMMARY_SCHEMA))
    )


def summarise_rows(rows: DataFrame, request: ProfileRequest) -> ColumnSummaries:
    """The summaries of a frame's rows, which pass through Spark.

    Jobs:    one Spark job.
    """
    return _collect_summaries(rows.mapInArrow(_RowSummariser(request), from_arrow_schema(_SUMMARY_SCHEMA)))


def build_profiles(
    summaries: ColumnSummaries, *, log_type: Literal["input", "prediction"], types: dict[str, str], share: float = 1.0
) -> tuple[ColumnProfile, ...]:
    """The records, one per column and slice; segments with the most rows, at most `MAX_SLICES` values of each."""
    kept_slices = _largest_slices(summaries)
    return tuple(
        _profile_from_summary(
            column, slice_, one, log_type=log_type, data_type=types.get(column, "string"), share=share
        )
        for (column, slice_), one in sorted(summaries.items(), key=lambda item: (item[0][0], str(item[0][1])))
        if slice_ in kept_slices
    )


def merge_profiles(runs: Iterable[Sequence[ColumnProfile]]) -> tuple[ColumnProfile, ...]:
    """The profiles of several runs together, as if one run had read all their rows. Sampled shares have no weight."""
    profiles_by_key: dict[tuple[str, str, SliceKey], list[ColumnProfile]] = {}
    for run in runs:
        for one in run:
            profiles_by_key.setdefault((one.log_type, one.column, (one.slice_key, one.slice_value)), []).append(one)
    merged = []
    for (log_type, column, slice_), profiles in profiles_by_key.items():
        size, kind = SUMMARY_SIZE if slice_ == (None, None) else SLICE_SUMMARY_SIZE, profiles[-1].data_type
        summary = merge_summaries([_summary_from_profile(one, size) for one in profiles])
        share = (
            sum(one.count for one in profiles) / sum(one.count / one.share for one in profiles if one.share)
            if any(one.count for one in profiles)
            else 1.0
        )
        merged.append(
            _profile_from_summary(column, slice_, summary, log_type=log_type, data_type=kind, share=share)  # type: ignore[arg-type]
        )
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class _RowSummariser:
    request: ProfileRequest

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from _to_summary_batches(_summarise_blocks(_concat_blocks(batches), self.request))


@dataclass(frozen=True, slots=True)
class _SplitSummariser:
    reader: SplitReader
    request: ProfileRequest

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        batches = (batch for _, split in iterate_splits(parts) for batch in self.reader(split))
        yield from _to_summary_batches(_summarise_blocks(_concat_blocks(batches), self.request))


def _concat_blocks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of many rows: one sort of many is faster than many sorts of few, and all of a task may not fit."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(one.num_rows for one in pending) >= _BLOCK_ROWS:
            yield pa.concat_batches(pending)
            pending = []
    if pending:
        yield pa.concat_batches(pending)


def _summarise_blocks(blocks: Iterator[pa.RecordBatch], request: ProfileRequest) -> ColumnSummaries:
    parts_by_key: dict[tuple[str, SliceKey], list[ColumnSummary]] = {}
    for block in blocks:
        rows = block if request.transform is None else request.transform(block)
        for key, one in _summarise_block(rows, request):
            parts = parts_by_key.setdefault(key, [])
            parts.append(one)
            if len(parts) >= SUMMARY_SIZE // 4:
                parts[:] = [merge_summaries(parts)]
    return {key: merge_summaries(parts) for key, parts in parts_by_key.items()}


def _summarise_block(
    rows: pa.RecordBatch, request: ProfileRequest
) -> Iterator[tuple[tuple[str, SliceKey], ColumnSummary]]:
    for column in request.columns:
        yield (column, (None, None)), summarise_column(rows.column(column), size=SUMMARY_SIZE)
    for segment in request.segments:
        for value, row_indexes in _segment_slices(rows.column(segment)):
            for column in request.columns:
                if column != segment:
                    part = summarise_column(rows.column(column).take(row_indexes), size=SLICE_SUMMARY_SIZE)
                    yield (column, (segment, value)), part


def _segment_slices(values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """The values of a segment with the indexes of their rows: of the most frequent ones, some more than are kept."""
    codes = values.cast(pa.string()).fill_null("NULL").dictionary_encode()
    counts = np.bincount(codes.indices.to_numpy(), minlength=len(codes.dictionary))
    order = np.argsort(codes.indices.to_numpy(), kind="stable")
    ends = np.cumsum(counts)
    for code in np.argsort(-counts, kind="stable")[: 4 * MAX_SLICES].tolist():
        yield codes.dictionary[code].as_py(), pa.array(order[ends[code] - counts[code] : ends[code]])


def _to_summary_batches(summaries: ColumnSummaries) -> Iterator[pa.RecordBatch]:
    if summaries:
        yield pa.RecordBatch.from_pylist([_to_summary_row(key, one) for key, one in summaries.items()], _SUMMARY_SCHEMA)


def _to_summary_row(key: tuple[str, SliceKey], summary: ColumnSummary) -> dict[str, Any]:
    column, (slice_key, slice_value) = key
    row = {field.name: getattr(summary, field.name) for field in fields(summary)}
    row["top"] = [{"value": value, "rows": rows} for value, rows in summary.top]
    return {"column": column, "slice_key": slice_key, "slice_value": slice_value, **row}


def _collect_summaries(frame: DataFrame) -> ColumnSummaries:
    parts_by_key: dict[tuple[str, SliceKey], list[ColumnSummary]] = {}
    for row in frame.toArrow().to_pylist():
        key = (row.pop("column"), (row.pop("slice_key"), row.pop("slice_value")))
        top = tuple((one["value"], one["rows"]) for one in row.pop("top"))
        row |= {name: tuple(row[name]) for name in ("points", "weights", "hashes")}
        parts_by_key.setdefault(key, []).append(ColumnSummary(**row, top=top))
    return {key: merge_summaries(parts) for key, parts in parts_by_key.items()}


def _largest_slices(summaries: ColumnSummaries) -> set[SliceKey]:
    rows: dict[SliceKey, int] = {}
    for (_, slice_), one in summaries.items():
        rows[slice_] = max(rows.get(slice_, 0), one.count)
    largest: set[SliceKey] = {(None, None)}
    for segment in {key for key, _ in rows if key is not None}:
        slices = sorted((one for one in rows if one[0] == segment), key=lambda one: (-rows[one], str(one[1])))
        largest |= set(slices[:MAX_SLICES])
    return largest


def _profile_from_summary(
    column: str,
    slice_: SliceKey,
    summary: ColumnSummary,
    *,
    log_type: Literal["input", "prediction"],
    data_type: str,
    share: float,
) -> ColumnProfile:
    numbers = summary.min is not None
    return ColumnProfile(
        column,
        log_type,
        data_type,
        summary.count,
        summary.nulls,
        summary.nans,
        *slice_,
        summary.min,
        summary.max,
        summary.mean if numbers else None,
        (summary.squares / summary.values) ** 0.5 if numbers else None,
        summary.points,
        summary.weights,
        summary.distinct,
        summary.hashes,
        summary.top[:MAX_TOP_VALUES],
        share,
    )


def _summary_from_profile(profile: ColumnProfile, size: int) -> ColumnSummary:
    squares = (profile.stddev or 0.0) ** 2 * profile.values
    return ColumnSummary(
        size,
        profile.count,
        profile.nulls,
        profile.nans,
        profile.min,
        profile.max,
        profile.mean or 0.0,
        squares,
        profile.points,
        profile.weights,
        profile.hashes,
        profile.top,
    )
