"""How far columns and segments are from what they are compared with, the furthest first."""

from collections.abc import Sequence
from itertools import groupby

from sparkscore.monitor.report.charts import Row, bars, shares
from sparkscore.monitor.report.parts import Cell, Figure, Section, Table
from sparkscore.monitor.report.words import counted
from sparkscore.records import Drift, RunPage

MOST, MULTIPLES, BINS = 12, 6, 12


def drifted(page: RunPage) -> Section:
    """Per comparison a ranking of columns; small multiples of the columns furthest away; the segments."""
    title, whole = "Drift", [one for one in page.drifts if one.slice_key is None]
    segments = [one for one in page.drifts if one.slice_key is not None]
    if not whole and not segments:
        return Section(title, "Nothing was compared.")
    compared = groupby(sorted(whole, key=_comparison), key=_comparison)
    figures = tuple(_ranked(ranking(list(found))) for _, found in compared)
    small = tuple(_multiple(one) for one in _furthest(whole))
    tables = (_segments(ranking(segments)),) if segments else ()
    return Section(title, _told(whole), figures=figures, small=small, tables=tables)


def ranking(drifts: Sequence[Drift]) -> list[Drift]:
    """Those above a threshold first, then by population stability index; what has none comes last."""
    return sorted(drifts, key=lambda one: (not one.drifted, -_distance(one), one.column))


def _furthest(whole: Sequence[Drift]) -> list[Drift]:
    """The furthest comparison of each column, where its bins are known."""
    each: dict[tuple[str, str], Drift] = {}
    for one in ranking([one for one in whole if one.bins]):
        each.setdefault((one.column, one.log_type), one)
    return list(each.values())[:MULTIPLES]


def _distance(one: Drift) -> float:
    return -1.0 if one.psi is None else one.psi


def _comparison(one: Drift) -> tuple[str, str]:
    return one.drift_type, one.against


def _told(whole: Sequence[Drift]) -> str:
    names = list(dict.fromkeys(one.column for one in ranking(whole) if one.drifted))
    if not names:
        return "No column is further from what it is compared with than the config allows."
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    verb = "has" if len(names) == 1 else "have"
    return f"{shown} {verb} moved further than the config allows."


def _ranked(ranked: Sequence[Drift]) -> Figure:
    rows = [Row(one.column, _psi(one), max(_distance(one), 0.0), one.drifted) for one in ranked[:MOST]]
    more = f" {counted(len(ranked) - MOST, 'column')} more." if len(ranked) > MOST else ""
    many = sum(one.drifted for one in ranked)
    says = f"Population stability index (PSI) per column: 0 is no change. {many} of {len(ranked)} drifted.{more}"
    return Figure(f"Against {ranked[0].against}", bars(rows), says)


def _psi(one: Drift) -> str:
    return f"{_index(one)}{'  ▲ drifted' if one.drifted else ''}"


def _index(one: Drift) -> str:
    return "no PSI" if one.psi is None else f"{one.psi:.2f}"


def _multiple(one: Drift) -> Figure:
    kept = _widest(one)
    names = [one.bins[at] for at in kept]
    now, then = ([part[at] for at in kept] for part in (one.shares, one.shares_cmp))
    picture = shares(names, now, then, strong=one.drifted)
    left = f" {counted(len(one.bins) - len(kept), 'smaller bin')} left out." if len(kept) < len(one.bins) else ""
    rows = f"{one.count:,} rows, compared with {one.count_cmp:,} of {one.against}."
    says = f"{one.note.rstrip('.')}. {rows}{left}" if one.note else f"{rows}{left}"
    return Figure(one.column, picture, says, strong=one.drifted)


def _widest(one: Drift) -> list[int]:
    """The bins that most rows are in, now or then, in their order."""
    size = [max(pair) for pair in zip(one.shares, one.shares_cmp, strict=True)]
    return sorted(sorted(range(len(size)), key=lambda at: -size[at])[:BINS])


def _segments(ranked: Sequence[Drift]) -> Table:
    """Where all are compared with the same, it is said once."""
    against = {one.against for one in ranked}
    alike = len(against) == 1
    rows = tuple(_segment(one) + (() if alike else (Cell(one.against),)) for one in ranked[:MOST])
    says = [f"Compared with {ranked[0].against}."] if alike else []
    if len(ranked) > MOST:
        says.append(f"{counted(len(ranked) - MOST, 'comparison')} more.")
    head = ("", "Segment", "Column", "PSI", "Rows", *(() if alike else ("Compared with",)))
    return Table("Most drifted segments", head, rows, " ".join(says), numbers=(3, 4), narrow=alike)


def _segment(one: Drift) -> tuple[Cell, ...]:
    kept = Cell("not judged") if one.note else Cell("within", "good")
    verdict = Cell("drifted", "bad") if one.drifted else kept
    segment = Cell(f"{one.slice_key} = {one.slice_value}")
    return verdict, segment, Cell(one.column), Cell(_index(one)), Cell(f"{one.count:,}")
