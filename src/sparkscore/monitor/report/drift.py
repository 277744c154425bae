"""How far columns and segments are from what they are compared with, the furthest first."""

from collections.abc import Sequence
from itertools import groupby

from sparkscore.monitor.report.charts import BarRow, bar_chart, share_chart
from sparkscore.monitor.report.page_parts import Cell, Figure, PageTable, Section
from sparkscore.monitor.report.text_formats import count_text
from sparkscore.records import Drift, RunPage

_MAX_ROWS, _MAX_SMALL_CHARTS, _MAX_BINS = 12, 6, 12


def drift_section(page: RunPage) -> Section:
    """Per comparison a ranking of columns; small multiples of the columns furthest away; the segments."""
    title, overall = "Drift", [one for one in page.drifts if one.slice_key is None]
    segments = [one for one in page.drifts if one.slice_key is not None]
    if not overall and not segments:
        return Section(title, "Nothing was compared.")
    compared = groupby(sorted(overall, key=_comparison_key), key=_comparison_key)
    figures = tuple(_ranking_figure(ranked_drifts(list(group))) for _, group in compared)
    small = tuple(_drift_figure(one) for one in _furthest_drifts(overall))
    tables = (_segment_table(ranked_drifts(segments)),) if segments else ()
    return Section(title, _drift_sentence(overall), figures=figures, small=small, tables=tables)


def ranked_drifts(drifts: Sequence[Drift]) -> list[Drift]:
    """Those above a threshold first, then by population stability index; what has none comes last."""
    return sorted(drifts, key=lambda one: (not one.drifted, -_rank_distance(one), one.column))


def _furthest_drifts(overall: Sequence[Drift]) -> list[Drift]:
    """The furthest comparison of each column, where its bins are known."""
    furthest: dict[tuple[str, str], Drift] = {}
    for one in ranked_drifts([one for one in overall if one.bins]):
        furthest.setdefault((one.column, one.log_type), one)
    return list(furthest.values())[:_MAX_SMALL_CHARTS]


def _rank_distance(drift: Drift) -> float:
    return -1.0 if drift.psi is None else drift.psi


def _comparison_key(drift: Drift) -> tuple[str, str]:
    return drift.drift_type, drift.against


def _drift_sentence(overall: Sequence[Drift]) -> str:
    names = list(dict.fromkeys(one.column for one in ranked_drifts(overall) if one.drifted))
    if not names:
        return "No column differs more from its reference than the config allows."
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    verb = "has" if len(names) == 1 else "have"
    return f"{listed} {verb} changed more than the config allows."


def _ranking_figure(ranked: Sequence[Drift]) -> Figure:
    rows = [
        BarRow(one.column, _psi_label(one), max(_rank_distance(one), 0.0), one.drifted) for one in ranked[:_MAX_ROWS]
    ]
    more = f" {count_text(len(ranked) - _MAX_ROWS, 'column')} more." if len(ranked) > _MAX_ROWS else ""
    drifted_count = sum(one.drifted for one in ranked)
    caption = (
        f"Population stability index (PSI) per column: 0 is no change. {drifted_count} of {len(ranked)} drifted.{more}"
    )
    return Figure(f"Against {ranked[0].against}", bar_chart(rows), caption)


def _psi_label(drift: Drift) -> str:
    return f"{_psi_text(drift)}{'  ▲ drifted' if drift.drifted else ''}"


def _psi_text(drift: Drift) -> str:
    return "no PSI" if drift.psi is None else f"{drift.psi:.2f}"


def _drift_figure(drift: Drift) -> Figure:
    indexes = _fullest_bins(drift)
    names = [drift.bins[index] for index in indexes]
    current, previous = ([part[index] for index in indexes] for part in (drift.shares, drift.shares_cmp))
    picture = share_chart(names, current, previous, is_highlighted=drift.drifted)
    omitted = (
        f" {count_text(len(drift.bins) - len(indexes), 'smaller bin')} left out."
        if len(indexes) < len(drift.bins)
        else ""
    )
    rows = f"{drift.count:,} rows, compared with {drift.count_cmp:,} of {drift.against}."
    caption = f"{drift.note.rstrip('.')}. {rows}{omitted}" if drift.note else f"{rows}{omitted}"
    return Figure(drift.column, picture, caption, is_highlighted=drift.drifted)


def _fullest_bins(drift: Drift) -> list[int]:
    """The bins that most rows are in, now or before, in their order."""
    size = [max(pair) for pair in zip(drift.shares, drift.shares_cmp, strict=True)]
    return sorted(sorted(range(len(size)), key=lambda index: -size[index])[:_MAX_BINS])


def _segment_table(ranked: Sequence[Drift]) -> PageTable:
    """Where all are compared with the same, it is said once."""
    against = {one.against for one in ranked}
    has_one_reference = len(against) == 1
    rows = tuple(_segment_row(one) + (() if has_one_reference else (Cell(one.against),)) for one in ranked[:_MAX_ROWS])
    caption = [f"Compared with {ranked[0].against}."] if has_one_reference else []
    if len(ranked) > _MAX_ROWS:
        caption.append(f"{count_text(len(ranked) - _MAX_ROWS, 'comparison')} more.")
    head = ("", "Segment", "Column", "PSI", "Rows", *(() if has_one_reference else ("Compared with",)))
    return PageTable("Most drifted segments", head, rows, " ".join(caption), numbers=(3, 4), narrow=has_one_reference)


def _segment_row(drift: Drift) -> tuple[Cell, ...]:
    within_limits = Cell("not judged") if drift.note else Cell("within", "good")
    verdict = Cell("drifted", "bad") if drift.drifted else within_limits
    segment = Cell(f"{drift.slice_key} = {drift.slice_value}")
    return verdict, segment, Cell(drift.column), Cell(_psi_text(drift)), Cell(f"{drift.count:,}")
