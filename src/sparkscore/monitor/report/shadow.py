"""The page of `score --shadow`: what production has published, and what its shadow would have published."""

from collections.abc import Callable, Sequence

from sparkscore.monitor.report.comparison import (
    ComparedSides,
    distribution_section,
    pair_agreement_section,
    segments_section,
)
from sparkscore.monitor.report.page import render_page
from sparkscore.monitor.report.page_parts import Cell, Fact, PageHead, PageTable, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, day_text, number_text, share_text
from sparkscore.records import ComparedPredictions, ComparisonReport, ShadowReport, ShadowSide

SHADOW_SIDES = ComparedSides("production", "shadow", "shadow_area", "shadow_mark", "shadow_dots")


def shadow_page(report: ShadowReport, found: ComparedPredictions) -> str:
    """A complete HTML document without scripts, which fetches nothing.

    Runs on: driver.
    """
    pair = _to_comparison(report)
    sections = [
        *_limit_sections(report),
        _sides_section(report),
        pair_agreement_section(pair, SHADOW_SIDES),
        distribution_section(pair, found, SHADOW_SIDES),
        segments_section(pair, SHADOW_SIDES),
    ]
    return render_page(_shadow_head(report), sections)


def _to_comparison(report: ShadowReport) -> ComparisonReport:
    production, shadow = report.production, report.shadow
    return ComparisonReport(
        report.job,
        "compared",
        champion_rows=None if production is None else production.rows,
        challenger_rows=None if shadow is None else shadow.rows,
        agreement=report.agreement,
        segments=report.segments,
        drifts=report.drifts,
    )


def _shadow_head(report: ShadowReport) -> PageHead:
    agreement, broken = report.agreement, [one for one in report.rules if not one.held]
    has_labels = agreement is not None and agreement.flips_up is not None
    state = "Too different" if broken else "Within the limits" if report.rules else "Compared"
    return PageHead(
        kind=f"Shadow of {report.job}",
        title=f"Shadow of {report.job} for {day_text(report.as_of)}",
        sentence="The same rows, scored beside production into a table that nobody reads.",
        mark="bad" if broken else "good" if report.rules else "",
        state=state,
        warnings=report.warnings,
        facts=(
            Fact("Rows of both", number_text(None if agreement is None else agreement.rows)),
            Fact("Only in production", number_text(report.only_production)),
            Fact("Only in the shadow", number_text(report.only_shadow)),
            Fact(
                "Equal",
                share_text(None if agreement is None else agreement.equal_share),
                "labels" if has_labels else "predictions",
            ),
            Fact("Mean difference", number_text(None if agreement is None else agreement.mean_absolute_difference)),
        ),
        small="nothing of production was changed",
    )


def _limit_sections(report: ShadowReport) -> Sequence[Section]:
    if not report.rules:
        return ()
    rows = tuple(
        (
            Cell(one.rule, "good" if one.held else "bad"),
            Cell(_limit_value_text(one.found)),
            Cell(_limit_value_text(one.limit)),
        )
        for one in report.rules
    )
    broken = [one.rule for one in report.rules if not one.held]
    sentence = f"Exceeded: {', '.join(broken)}." if broken else "All limits of `shadow` are kept."
    return (Section("Limits", sentence, tables=(PageTable("", ("Limit", "Found", "At most"), rows, numbers=(1, 2)),)),)


def _limit_value_text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"


def _sides_section(report: ShadowReport) -> Section:
    sides = (report.production, report.shadow)
    facts: dict[str, Callable[[ShadowSide], str]] = {
        "Table": lambda side: side.table,
        "Model": _format_side_model,
        "Source version": lambda side: number_text(side.source_version),
        "Rows with a prediction": lambda side: number_text(side.rows),
        "Rejected rows": lambda side: number_text(side.rejected),
        "Transport": lambda side: side.transport or UNKNOWN,
        "Seconds of scoring": lambda side: number_text(side.seconds),
    }
    rows = tuple(
        (Cell(name), *(Cell(UNKNOWN if side is None else fact(side)) for side in sides)) for name, fact in facts.items()
    )
    return Section("Both runs", "", tables=(PageTable("", ("Fact", "Production", "Shadow"), rows),))


def _format_side_model(side: ShadowSide) -> str:
    return UNKNOWN if side.model is None else f"{side.model.name} version {side.model.version}"
