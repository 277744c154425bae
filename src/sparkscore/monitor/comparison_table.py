"""A comparison of two models as tables for a terminal."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from sparkscore.monitor.report.text_formats import UNKNOWN, number_text, share_text
from sparkscore.records import ComparisonReport, ModelAgreement, ModelGain, PromotionRule, ShadowReport


def comparison_tables(report: ComparisonReport) -> Iterator[Table]:
    """What differs, then quality, then the rules of a promotion; no table for what is not known."""
    yield _make_table((_models_text(report), ""), _agreement_rows(report))
    if report.quality:
        yield _make_table(("metric", "champion", "challenger", "gain"), map(_gain_texts, report.quality))
    if report.promotion is not None:
        state = {"promoted": "promoted", "dry_run": "would be promoted"}.get(report.status, "not promoted")
        yield _make_table((state, "found", "limit"), map(_promotion_rule_texts, report.promotion.rules))


def shadow_table(report: ShadowReport) -> Table:
    """What differs between a shadow and production, and which limits are exceeded."""
    return _make_table(("shadow against production", ""), _shadow_rows(report))


def _shadow_rows(report: ShadowReport) -> Iterator[tuple[str, str]]:
    found = report.agreement
    yield "rows of both", f"{0 if found is None else found.rows:,}"
    yield "only in production", number_text(report.only_production)
    yield "only in the shadow", number_text(report.only_shadow)
    if found is not None:
        yield from list(_agreement_lines(found))[1:]
    for one in report.rules:
        shown = UNKNOWN if one.found is None else f"{one.found:.4g}"
        yield f"{'kept' if one.held else 'EXCEEDED'}  {one.rule}", f"{shown}, at most {one.limit:.4g}"


def _models_text(report: ComparisonReport) -> str:
    sides = (report.champion, report.challenger)
    return " against ".join(UNKNOWN if one is None else f"{one.name} version {one.version}" for one in sides)


def _agreement_rows(report: ComparisonReport) -> Iterator[tuple[str, str]]:
    if report.agreement is not None:
        yield from _agreement_lines(report.agreement)
    if report.cost_ratio is not None:
        yield "cost", f"{report.cost_ratio:.2f} of the champion's seconds"


def _agreement_lines(found: ModelAgreement) -> Iterator[tuple[str, str]]:
    yield "rows of both", f"{found.rows:,}"
    yield "equal", share_text(found.equal_share)
    if found.flip_share is not None:
        yield "label flips", f"{share_text(found.flip_share)}: {found.flips_up:,} up, {found.flips_down:,} down"
    if found.mean_absolute_difference is not None:
        yield "mean difference", number_text(found.mean_absolute_difference)
        yield "greatest difference", number_text(found.max_absolute_difference)
        yield "correlation", number_text(found.correlation)


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
