"""A comparison of two models as tables for a terminal."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from sparkscore.monitor.report.text_formats import UNKNOWN, number_text, share_text
from sparkscore.records import ComparisonReport, ModelGain, PromotionRule


def comparison_tables(report: ComparisonReport) -> Iterator[Table]:
    """What differs, then quality, then the rules of a promotion; no table for what is not known."""
    yield _make_table((_models_text(report), ""), _agreement_rows(report))
    if report.quality:
        yield _make_table(("metric", "champion", "challenger", "gain"), map(_gain_texts, report.quality))
    if report.promotion is not None:
        state = {"promoted": "promoted", "dry_run": "would be promoted"}.get(report.status, "not promoted")
        yield _make_table((state, "found", "limit"), map(_promotion_rule_texts, report.promotion.rules))


def _models_text(report: ComparisonReport) -> str:
    sides = (report.champion, report.challenger)
    return " against ".join(UNKNOWN if one is None else f"{one.name} version {one.version}" for one in sides)


def _agreement_rows(report: ComparisonReport) -> Iterator[tuple[str, str]]:
    found = report.agreement
    if found is None:
        return
    yield "rows of both", f"{found.rows:,}"
    yield "equal", share_text(found.equal_share)
    if found.flip_share is not None:
        yield "label flips", f"{share_text(found.flip_share)}: {found.flips_up:,} up, {found.flips_down:,} down"
    if found.mean_absolute_difference is not None:
        yield "mean difference", number_text(found.mean_absolute_difference)
        yield "greatest difference", number_text(found.max_absolute_difference)
        yield "correlation", number_text(found.correlation)
    if report.cost_ratio is not None:
        yield "cost", f"{report.cost_ratio:.2f} of the champion's seconds"


def _gain_texts(one: ModelGain) -> Sequence[str]:
    gain = UNKNOWN if one.gain is None else f"{one.gain:+.4g}"
    ends = "" if one.low is None else f" ({one.low:+.4g} to {one.high:+.4g})"
    return one.metric, number_text(one.champion), number_text(one.challenger), gain + ends


def _promotion_rule_texts(one: PromotionRule) -> Sequence[str]:
    return f"{'holds' if one.held else 'FAILS'}  {one.rule}", one.found, one.limit


def _make_table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    return table
