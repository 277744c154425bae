"""The page of `compare`: a champion and a challenger side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkscore.monitor.report.bins import histogram_bins
from sparkscore.monitor.report.charts import DotPair, dot_pair_chart, histogram_chart, share_chart
from sparkscore.monitor.report.page import render_page
from sparkscore.monitor.report.page_parts import Cell, Fact, Figure, Legend, PageHead, PageTable, Section
from sparkscore.monitor.report.text_formats import (
    UNKNOWN,
    count_text,
    day_text,
    number_text,
    rate_text,
    share_text,
)
from sparkscore.records import (
    ColumnProfile,
    ComparedPredictions,
    ComparisonReport,
    Drift,
    ModelAgreement,
    ModelCost,
    ModelGain,
    PromotionRule,
)

_MAX_SEGMENTS, _MAX_LABELS = 20, 12
_STATES = {
    "compared": ("Compared", ""),
    "promoted": ("Promoted", "good"),
    "dry_run": ("Would be promoted", "good"),
    "not_promoted": ("Not promoted", "bad"),
}


@dataclass(frozen=True, slots=True)
class ComparedSides:
    """What the two sides of a comparison are called."""

    first: str
    """Against which is compared."""
    second: str
    area: Legend
    mark: Legend
    dots: Legend


MODEL_SIDES = ComparedSides("champion", "challenger", "models_area", "models_mark", "models_dots")


def comparison_page(report: ComparisonReport, found: ComparedPredictions) -> str:
    """A complete HTML document without scripts, which fetches nothing.

    Runs on: driver.
    """
    sections = [
        *_promotion_sections(report),
        pair_agreement_section(report, MODEL_SIDES),
        distribution_section(report, found, MODEL_SIDES),
        _quality_section(report),
        segments_section(report, MODEL_SIDES),
        _compared_cost_section(report),
    ]
    return render_page(_comparison_head(report), sections)


def _comparison_head(report: ComparisonReport) -> PageHead:
    agreement, champion, challenger = report.agreement, report.champion, report.challenger
    names = [UNKNOWN if one is None else f"{one.name} version {one.version}" for one in (champion, challenger)]
    state, mark = _STATES.get(report.status, ("", ""))
    days = list(dict.fromkeys(map(day_text, (report.as_ofs[0], report.as_ofs[-1]))))
    equal = None if agreement is None else agreement.equal_share
    return PageHead(
        kind=f"Comparison for {report.job}",
        title=f"{names[1]} against {names[0]}",
        sentence=f"The challenger and the champion over the same rows of {' to '.join(days)}.",
        mark=mark,  # type: ignore[arg-type]  # of these words
        state=state,
        warnings=report.warnings,
        facts=(
            Fact("Rows", number_text(None if agreement is None else agreement.rows), "that both have predicted"),
            Fact("Equal", share_text(equal), "labels" if _has_compared_labels(report) else "predictions"),
            Fact("Correlation", number_text(None if agreement is None else agreement.correlation)),
            Fact("Cost", UNKNOWN if report.cost_ratio is None else f"{report.cost_ratio:.2f}×", "of the champion's"),
            Fact("Known truth", share_text(report.truth_share), "of these rows"),
        ),
        small=f"{count_text(len(report.as_ofs), 'as_of')}; only rows that both have predicted are compared",
    )


def _has_compared_labels(report: ComparisonReport) -> bool:
    return report.agreement is not None and report.agreement.flips_up is not None


def _promotion_sections(report: ComparisonReport) -> Sequence[Section]:
    promotion = report.promotion
    if promotion is None:
        return ()
    name = promotion.alias
    sentence = {
        "promoted": f"All rules hold: {name} points to the challenger.",
        "dry_run": f"All rules hold. This was a dry run: {name} still points to the champion.",
    }.get(report.status, f"{name} still points to the champion, because not all rules hold.")
    head = ("Rule", "Found", "Limit")
    return (
        Section(
            "Promotion", sentence, tables=(PageTable("", head, tuple(map(_promotion_rule_cells, promotion.rules))),)
        ),
    )


def _promotion_rule_cells(one: PromotionRule) -> tuple[Cell, ...]:
    return Cell(one.rule, "good" if one.held else "bad"), Cell(one.found), Cell(one.limit)


def pair_agreement_section(report: ComparisonReport, sides: ComparedSides) -> Section:
    """How many rows have equal predictions and labels."""
    found = report.agreement
    if found is None or not found.rows:
        return Section("Agreement", "No row has a prediction of both.")
    facts = [Fact("Equal", share_text(found.equal_share), f"of {count_text(found.rows, 'row')}")]
    if found.mean_absolute_difference is not None:
        facts += [
            Fact("Mean difference", number_text(found.mean_absolute_difference), "absolute"),
            Fact("Greatest difference", number_text(found.max_absolute_difference), "absolute"),
        ]
    sentence = (
        f"The {sides.first} has predicted {number_text(report.champion_rows)} rows,"
        f" the {sides.second} {number_text(report.challenger_rows)}."
    )
    return Section("Agreement", sentence, facts=tuple(facts), tables=_flip_tables(found, sides))


def _flip_tables(found: ModelAgreement, sides: ComparedSides) -> tuple[PageTable, ...]:
    if found.flips_up is None:
        return ()
    rows = (
        (Cell(f"{sides.first.capitalize()} 0"), *_share_cells(found, found.both_negative, found.flips_up)),
        (Cell(f"{sides.first.capitalize()} 1"), *_share_cells(found, found.flips_down, found.both_positive)),
    )
    sentence = f"{share_text(found.flip_share)} of the labels change: {found.flips_up:,} from 0 to 1,"
    sentence += f" {found.flips_down:,} from 1 to 0."
    second = sides.second.capitalize()
    head = ("Label", f"{second} 0", f"{second} 1")
    return (PageTable("Label flips", head, rows, sentence, numbers=(1, 2), narrow=True),)


def _share_cells(found: ModelAgreement, *counts: int | None) -> tuple[Cell, ...]:
    return tuple(Cell(f"{count or 0:,} ({share_text(count, found.rows)})") for count in counts)


def distribution_section(report: ComparisonReport, found: ComparedPredictions, sides: ComparedSides) -> Section:
    """How far the predictions of both are apart as a whole."""
    overall = next((one for one in report.drifts if one.slice_key is None), None)
    figure = _distribution_figure(found.challenger[0], found.champion[0], sides)
    head = ("Slice", "PSI", "Jensen-Shannon", "KS", "Wasserstein", "Cramér's V", "Verdict")
    rows = tuple(map(_drift_cells, report.drifts[: _MAX_SEGMENTS + 1]))
    sentence = (
        "Nothing was measured."
        if overall is None
        else f"How far the {sides.second}'s predictions as a whole are from the {sides.first}'s: distances, not"
        " p-values."
    )
    table = PageTable("Distances", head, rows, numbers=(1, 2, 3, 4, 5))
    return Section(
        "Distributions", sentence, figures=() if figure is None else (figure,), tables=(table,) if rows else ()
    )


def _distribution_figure(challenger: ColumnProfile, champion: ColumnProfile, sides: ComparedSides) -> Figure | None:
    averages = (
        f"On average {number_text(challenger.mean)} with the {sides.second},"
        f" {number_text(champion.mean)} with the {sides.first}."
    )
    if challenger.top:
        names = [name for name, _ in challenger.top[:_MAX_LABELS]]
        rows = dict(champion.top)
        shares = [count / max(challenger.values, 1) for _, count in challenger.top[:_MAX_LABELS]]
        before = [rows.get(name, 0) / max(champion.values, 1) for name in names]
        return Figure("Predictions", share_chart(names, shares, before), "Shares of the classes.", sides.mark)
    bins = histogram_bins(challenger, champion)
    if not bins:
        return None if challenger.mean is None else Figure("Predictions", "", averages)
    return Figure("Predictions", histogram_chart(bins), averages, sides.area)


def _drift_cells(one: Drift) -> tuple[Cell, ...]:
    distances = (one.psi, one.jensen_shannon, one.kolmogorov_smirnov, one.wasserstein, one.cramers_v)
    verdict = Cell(one.note or "within the limits of drift", "bad" if one.drifted else "")
    return (
        Cell(_slice_text(one.slice_key, one.slice_value)),
        *(Cell(number_text(value)) for value in distances),
        verdict,
    )


def _slice_text(key: str | None, value: str | None) -> str:
    return "All rows" if key is None else f"{key} = {value}"


def _quality_section(report: ComparisonReport) -> Section:
    if not report.quality:
        return Section("Quality", "No row has a known truth, or the config names no labels.")
    head = ("Metric", "Champion", "Challenger", "Gain", "Interval", "Rows")
    table = PageTable("", head, tuple(map(_gain_cells, report.quality)), numbers=(1, 2, 3, 4, 5))
    sentence = (
        "Over the rows with a known truth that both have predicted. A gain above 0 is a better challenger; where its"
        " interval holds 0, chance alone could have made it."
    )
    return Section("Quality", sentence, tables=(table,))


def _gain_cells(one: ModelGain) -> tuple[Cell, ...]:
    sure = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    mark = "" if not sure or one.gain is None else "good" if one.gain > 0 else "bad"
    return (
        Cell(one.metric, mark),  # type: ignore[arg-type]  # of these words
        Cell(_digits(one.champion)),
        Cell(_digits(one.challenger)),
        Cell(_signed(one.gain)),
        Cell(one.note if one.low is None else f"{_signed(one.low)} to {_signed(one.high)}"),
        Cell(f"{one.rows:,}"),
    )


def _digits(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"


def _signed(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.3g}"


def segments_section(report: ComparisonReport, sides: ComparedSides) -> Section:
    """The same by segment."""
    if not report.segments:
        return Section("Segments", "The config names no segments (profile.segments).")
    shown = report.segments[:_MAX_SEGMENTS]
    pairs = [
        DotPair(
            _slice_text(one.slice_key, one.slice_value),
            f"{number_text(one.challenger_mean)}, {sides.first} {number_text(one.champion_mean)}",
            one.challenger_mean,
            one.champion_mean,
        )
        for one in shown
        if one.challenger_mean is not None and one.champion_mean is not None
    ]
    figure = Figure("Average prediction", dot_pair_chart(pairs), "By segment.", sides.dots) if pairs else None
    head = ("Segment", "Rows", "Equal", "Flips", "Mean difference", "Gain", "Rows with truth")
    table = PageTable("", head, tuple(map(_compared_segment_cells, shown)), numbers=(1, 2, 3, 4, 5, 6))
    more = len(report.segments) - len(shown)
    sentence = f"{count_text(more, 'segment')} more are in the result line." if more else ""
    return Section("Segments", sentence, figures=() if figure is None else (figure,), tables=(table,))


def _compared_segment_cells(one: ModelAgreement) -> tuple[Cell, ...]:
    gain = one.gain
    return (
        Cell(_slice_text(one.slice_key, one.slice_value)),
        Cell(f"{one.rows:,}"),
        Cell(share_text(one.equal_share)),
        Cell(share_text(one.flip_share)),
        Cell(number_text(one.mean_absolute_difference)),
        Cell(UNKNOWN if gain is None else _signed(gain.gain)),
        Cell(UNKNOWN if gain is None else f"{gain.rows:,}"),
    )


def _compared_cost_section(report: ComparisonReport) -> Section:
    head = ("Model", "Seconds", "Rows per second", "Loads", "Size")
    rows = tuple(_cost_row(name, one) for name, one in report.costs.items())
    sentence = (
        "No run has measured both in one pass."
        if report.cost_ratio is None
        else f"The challenger took {report.cost_ratio:.2f} seconds for each second of the champion, in the same passes:"
        " without reading and loading, of all tasks together."
    )
    return Section("Cost", sentence, tables=(PageTable("", head, rows, numbers=(1, 2, 3, 4)),) if rows else ())


def _cost_row(name: str, one: ModelCost) -> tuple[Cell, ...]:
    size = UNKNOWN if one.model_bytes is None else f"{one.model_bytes / 1e6:.1f} MB"
    return (
        Cell(name.capitalize()),
        Cell(number_text(one.seconds)),
        Cell(rate_text(one.rows_per_second)),
        Cell(number_text(one.loads)),
        Cell(size),
    )
