"""What was predicted, now and in the run before: for all rows and for each segment."""

from collections.abc import Sequence

from sparkscore.monitor.report.bins import histogram_bins
from sparkscore.monitor.report.charts import DotPair, dot_pair_chart, histogram_chart, share_chart
from sparkscore.monitor.report.parts import Figure, Section
from sparkscore.monitor.report.words import count_text, number_text, share_text
from sparkscore.records import ColumnProfile, RunPage

OUTPUTS, SEGMENTS, NAMES = 4, 12, 12


def predictions_section(page: RunPage) -> Section:
    """A histogram per output against the last run, and the segments whose predictions moved most."""
    mine = [one for one in page.profiles if one.log_type == "prediction"]
    before = {_output_key(one): one for one in page.previous_profiles if one.log_type == "prediction"}
    whole = [one for one in mine if one.slice_key is None]
    if not whole:
        return Section("Predictions", "No predictions were profiled.")
    says = "" if before else "There is no earlier run to compare with."
    if len(whole) > OUTPUTS:
        says = f"{says} {count_text(len(whole) - OUTPUTS, 'output')} more are not shown.".strip()
    figures = [_output_figure(one, before.get(_output_key(one))) for one in whole[:OUTPUTS]]
    return Section("Predictions", says, figures=(*figures, *_segment_figures(mine, before)))


OutputKey = tuple[str, str | None, str | None]


def _output_key(one: ColumnProfile) -> OutputKey:
    return one.column, one.slice_key, one.slice_value


def _output_figure(now: ColumnProfile, last: ColumnProfile | None) -> Figure:
    says = f"{count_text(now.values, 'prediction')}{_missing_values_text(now)}. {_averages_text(now, last)}".strip()
    if now.top and now.mean is None:
        return _label_figure(now, last, says)
    bins = histogram_bins(now, last)
    if not bins:
        only = f" All of them are {number_text(now.min)}." if now.values and now.min is not None else ""
        return Figure(now.column, "", f"{says}{only}")
    return Figure(
        now.column, histogram_chart(bins), says, "area" if last is not None and bins[0].then is not None else ""
    )


def _label_figure(now: ColumnProfile, last: ColumnProfile | None, says: str) -> Figure:
    mine = dict(now.top[:NAMES])
    others = dict(last.top) if last is not None and last.values else None
    then = [others.get(name, 0) / last.values for name in mine] if others is not None and last is not None else None
    picture = share_chart(list(mine), [rows / max(now.values, 1) for rows in mine.values()], then)
    return Figure(now.column, picture, says, "mark" if then else "")


def _missing_values_text(now: ColumnProfile) -> str:
    gone = now.nulls + now.nans
    return f", {gone:,} without a value ({share_text(gone, now.count)})" if gone else ""


def _averages_text(now: ColumnProfile, last: ColumnProfile | None) -> str:
    if now.mean is None:
        return ""
    was = "" if last is None or last.mean is None else f", {number_text(last.mean)} in the last run"
    middle = now.quantile(0.5)
    return f"On average {number_text(now.mean)}{was}" + (
        "." if middle is None else f"; half are at most {number_text(middle)}."
    )


def _segment_figures(mine: Sequence[ColumnProfile], before: dict[OutputKey, ColumnProfile]) -> tuple[Figure, ...]:
    found = [
        DotPair(
            f"{now.slice_key} = {now.slice_value}" + ("" if now.column == "prediction" else f", {now.column}"),
            f"{number_text(now.mean)}, was {number_text(last.mean)}",
            now.mean,
            last.mean,
        )
        for now in mine
        if now.slice_key is not None
        and now.mean is not None
        and (last := before.get(_output_key(now))) is not None
        and last.mean is not None
    ]
    if not found:
        return ()
    ranked = sorted(found, key=lambda pair: -abs(pair.now - pair.then))
    more = f" {count_text(len(ranked) - SEGMENTS, 'segment')} more, none of which moved further." * (
        len(ranked) > SEGMENTS
    )
    says = f"Average prediction per segment; the one that moved most is {ranked[0].label}: {ranked[0].text}.{more}"
    return (Figure("Segments", dot_pair_chart(ranked[:SEGMENTS]), says, "dots"),)
