"""What was predicted, now and in the run before: for all rows and for each segment."""

from collections.abc import Sequence

from sparkscore.monitor.column_profiles import find_omitted_slices
from sparkscore.monitor.report.bins import histogram_bins
from sparkscore.monitor.report.charts import DotPair, dot_pair_chart, histogram_chart, share_chart
from sparkscore.monitor.report.page_parts import Figure, Section
from sparkscore.monitor.report.text_formats import count_text, number_text, share_text
from sparkscore.records import ColumnProfile, OmittedSlices, RunPage

_MAX_OUTPUTS, _MAX_SEGMENTS, _MAX_LABELS = 4, 12, 12


def predictions_section(page: RunPage) -> Section:
    """A histogram per output against the last run, and the segments whose predictions moved most."""
    current = [one for one in page.profiles if one.log_type == "prediction"]
    previous_by_key = {_output_key(one): one for one in page.previous_profiles if one.log_type == "prediction"}
    overall = [one for one in current if one.slice_key is None]
    if not overall:
        return Section("Predictions", "No predictions were profiled.")
    sentence = "" if previous_by_key else "There is no earlier run to compare with."
    sentence = " ".join([sentence, *(_omitted_text(one) for one in find_omitted_slices(current))]).strip()
    if len(overall) > _MAX_OUTPUTS:
        sentence = f"{sentence} {count_text(len(overall) - _MAX_OUTPUTS, 'output')} more are not shown.".strip()
    figures = [_output_figure(one, previous_by_key.get(_output_key(one))) for one in overall[:_MAX_OUTPUTS]]
    return Section("Predictions", sentence, figures=(*figures, *_segment_figures(current, previous_by_key)))


def _omitted_text(omitted: OmittedSlices) -> str:
    rows = f"{omitted.rows:,} of {omitted.count:,} rows"
    return f"Of segment {omitted.segment} the most frequent values are profiled; {rows} have other ones."


OutputKey = tuple[str, str | None, str | None]


def _output_key(profile: ColumnProfile) -> OutputKey:
    return profile.column, profile.slice_key, profile.slice_value


def _output_figure(current: ColumnProfile, previous: ColumnProfile | None) -> Figure:
    count = f"{count_text(current.values, 'prediction')}{_missing_values_text(current)}."
    sentence = f"{count} {_averages_text(current, previous)}".strip()
    if current.top and current.mean is None:
        return _label_figure(current, previous, sentence)
    bins = histogram_bins(current, previous)
    if not bins:
        only = f" All of them are {number_text(current.min)}." if current.values and current.min is not None else ""
        return Figure(current.column, "", f"{sentence}{only}")
    return Figure(
        current.column,
        histogram_chart(bins),
        sentence,
        "area" if previous is not None and bins[0].previous is not None else "",
    )


def _label_figure(current: ColumnProfile, previous: ColumnProfile | None, sentence: str) -> Figure:
    current_rows = dict(current.top[:_MAX_LABELS])
    previous_rows = dict(previous.top) if previous is not None and previous.values else None
    previous_shares = (
        [previous_rows.get(name, 0) / previous.values for name in current_rows]
        if previous_rows is not None and previous is not None
        else None
    )
    picture = share_chart(
        list(current_rows), [rows / max(current.values, 1) for rows in current_rows.values()], previous_shares
    )
    return Figure(current.column, picture, sentence, "mark" if previous_shares else "")


def _missing_values_text(current: ColumnProfile) -> str:
    missing = current.nulls + current.nans
    return f", {missing:,} without a value ({share_text(missing, current.count)})" if missing else ""


def _averages_text(current: ColumnProfile, previous: ColumnProfile | None) -> str:
    if current.mean is None:
        return ""
    comparison = "" if previous is None or previous.mean is None else f", {number_text(previous.mean)} in the last run"
    median = current.quantile(0.5)
    return f"On average {number_text(current.mean)}{comparison}" + (
        "." if median is None else f"; half are at most {number_text(median)}."
    )


def _segment_figures(
    profiles: Sequence[ColumnProfile], previous_by_key: dict[OutputKey, ColumnProfile]
) -> tuple[Figure, ...]:
    pairs = [
        DotPair(
            f"{current.slice_key} = {current.slice_value}"
            + ("" if current.column == "prediction" else f", {current.column}"),
            f"{number_text(current.mean)}, was {number_text(previous.mean)}",
            current.mean,
            previous.mean,
        )
        for current in profiles
        if current.slice_key is not None
        and current.mean is not None
        and (previous := previous_by_key.get(_output_key(current))) is not None
        and previous.mean is not None
    ]
    if not pairs:
        return ()
    ranked = sorted(pairs, key=lambda pair: -abs(pair.current - pair.previous))
    more = f" {count_text(len(ranked) - _MAX_SEGMENTS, 'segment')} more, none of which moved further." * (
        len(ranked) > _MAX_SEGMENTS
    )
    sentence = f"Average prediction per segment; the one that moved most is {ranked[0].label}: {ranked[0].text}.{more}"
    return (Figure("Segments", dot_pair_chart(ranked[:_MAX_SEGMENTS]), sentence, "dots"),)
