"""Profiles of columns as records, from the states that tasks have made of their rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from sparkscore.monitor.column_summary import ColumnSummary, from_summary_rows, to_summary_rows
from sparkscore.monitor.state_merge import MAX_SLICES, merge_states, read_state
from sparkscore.monitor.summary_merge import merge_summary_rows
from sparkscore.monitor.summary_rows import SLICE_SUMMARY_SIZE, SUMMARY_SIZE
from sparkscore.records import ColumnProfile, OmittedSlices

MAX_TOP_VALUES = 50
"""Number of most frequent values that are kept."""

LogType = Literal["input", "prediction"]
SliceKey = tuple[str | None, str | None]
ColumnSummaries = Mapping[tuple[str, SliceKey], ColumnSummary]


def read_summaries(state: bytes) -> ColumnSummaries:
    """The summaries of a merged state: of each segment the `MAX_SLICES` values with the most rows."""
    rows = merge_states([read_state(state)], max_slices=MAX_SLICES)
    labels = zip(*(rows[name].to_pylist() for name in ("column", "slice_key", "slice_value")), strict=True)
    keys = ((column, (segment, value)) for column, segment, value in labels)
    return dict(zip(keys, from_summary_rows(rows), strict=True))


def find_omitted_slices(profiles: Sequence[ColumnProfile]) -> tuple[OmittedSlices, ...]:
    """The segments some of whose rows are in no slice, and how many rows."""
    counts = {(one.log_type, one.column): one.count for one in profiles if one.slice_key is None}
    sliced: dict[tuple[str, LogType, str], int] = {}
    for one in profiles:
        if one.slice_key is not None:
            key = (one.slice_key, one.log_type, one.column)
            sliced[key] = sliced.get(key, 0) + one.count
    omitted = {
        (segment, log_type): OmittedSlices(segment, log_type, counts[log_type, column] - rows, counts[log_type, column])
        for (segment, log_type, column), rows in sliced.items()
    }
    return tuple(one for _, one in sorted(omitted.items()) if one.rows > 0)


def build_profiles(
    summaries: ColumnSummaries,
    *,
    log_type: LogType,
    types: Mapping[str, str],
    share: float = 1.0,
) -> tuple[ColumnProfile, ...]:
    """The records, one per column and slice, in the order of their names."""
    return tuple(
        _profile_from_summary(
            column, slice_, one, log_type=log_type, data_type=types.get(column, "string"), share=share
        )
        for (column, slice_), one in sorted(summaries.items(), key=lambda item: (item[0][0], str(item[0][1])))
    )


def merge_profiles(runs: Iterable[Sequence[ColumnProfile]]) -> tuple[ColumnProfile, ...]:
    """The profiles of several runs together, as if one run had read all their rows. Sampled shares have no weight."""
    profiles_by_key: dict[tuple[LogType, str, SliceKey], list[ColumnProfile]] = {}
    for run in runs:
        for one in run:
            profiles_by_key.setdefault((one.log_type, one.column, (one.slice_key, one.slice_value)), []).append(one)
    if not profiles_by_key:
        return ()
    rows = to_summary_rows([_summary_from_profile(one) for profiles in profiles_by_key.values() for one in profiles])
    group = np.repeat(np.arange(len(profiles_by_key)), [len(profiles) for profiles in profiles_by_key.values()])
    merged = from_summary_rows(merge_summary_rows(rows, group, len(profiles_by_key)))
    return tuple(
        _profile_from_summary(
            column,
            slice_,
            one,
            log_type=log_type,
            data_type=profiles[-1].data_type,
            share=_merge_shares(profiles),
        )
        for ((log_type, column, slice_), profiles), one in zip(profiles_by_key.items(), merged, strict=True)
    )


def _merge_shares(profiles: Sequence[ColumnProfile]) -> float:
    read = sum(one.count for one in profiles)
    return read / sum(one.count / one.share for one in profiles if one.share) if read else 1.0


def _profile_from_summary(
    column: str,
    slice_: SliceKey,
    summary: ColumnSummary,
    *,
    log_type: LogType,
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
        (summary.squares / max(summary.finite, 1)) ** 0.5 if numbers else None,
        summary.points,
        summary.weights,
        summary.distinct,
        summary.hashes,
        summary.top[:MAX_TOP_VALUES],
        share,
    )


def _summary_from_profile(profile: ColumnProfile) -> ColumnSummary:
    size = SUMMARY_SIZE if profile.slice_key is None else SLICE_SUMMARY_SIZE
    squares = (profile.stddev or 0.0) ** 2 * profile.values
    return ColumnSummary(
        size,
        profile.count,
        profile.nulls,
        profile.nans,
        profile.values if profile.min is not None else 0,
        profile.min,
        profile.max,
        profile.mean or 0.0,
        squares,
        profile.points,
        profile.weights,
        profile.hashes,
        profile.top,
    )
