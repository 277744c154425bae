"""Whether a challenger may take the champion's place: each rule of `promotion`, with what was found. Pure."""

from collections.abc import Iterator, Sequence

from sparkscore.records import ComparisonReport, ModelGain, PromotionRule
from sparkscore.settings.promotion_settings import PromotionSettings

_UNKNOWN = "not known"


def judge_promotion(
    report: ComparisonReport, gain: ModelGain | None, settings: PromotionSettings
) -> tuple[PromotionRule, ...]:
    """Every rule that is set. What could not be measured does not hold.

    `gain`: of the metric that decides, over all rows with a known truth.
    """
    return (
        *_quality_rules(gain, settings),
        *_limit_rules(report, settings),
        *_segment_rules(report, settings),
    )


def _quality_rules(gain: ModelGain | None, settings: PromotionSettings) -> Iterator[PromotionRule]:
    rows = 0 if gain is None else gain.rows
    yield PromotionRule(
        "min_rows", rows >= settings.min_rows, f"{rows:,} rows with a known truth", f"at least {settings.min_rows:,}"
    )
    found = None if gain is None else gain.gain
    text = _UNKNOWN if found is None else f"{found:+.4g} {settings.metric}"
    yield PromotionRule(
        "min_gain", found is not None and found >= settings.min_gain, text, f"at least {settings.min_gain:g}"
    )
    low = None if gain is None else gain.low
    shown = _UNKNOWN if gain is None or low is None else f"{low:+.4g} to {gain.high:+.4g}"
    yield PromotionRule(
        "confidence", low is not None and low > 0, shown, f"the {settings.confidence:.0%} interval of the gain above 0"
    )


def _limit_rules(report: ComparisonReport, settings: PromotionSettings) -> Iterator[PromotionRule]:
    flips = None if report.agreement is None else report.agreement.flip_share
    drift = next((one.psi for one in report.drifts if one.slice_key is None), None)
    limits = (
        ("max_flips", settings.max_flips, flips, "of the labels"),
        ("max_drift", settings.max_drift, drift, "population stability index"),
        ("max_cost_ratio", settings.max_cost_ratio, report.cost_ratio, "seconds for each of the champion's"),
    )
    for rule, limit, found, unit in limits:
        if limit is not None:
            text = _UNKNOWN if found is None else f"{found:.4g} {unit}"
            yield PromotionRule(rule, found is not None and found <= limit, text, f"at most {limit:g}")


def _segment_rules(report: ComparisonReport, settings: PromotionSettings) -> Iterator[PromotionRule]:
    limit = settings.max_segment_loss
    if limit is None:
        return
    judged = [one for one in report.segments if one.gain is not None and one.gain.rows >= settings.min_segment_rows]
    known = [
        (one.gain.gain, f"{one.slice_key} = {one.slice_value}")
        for one in judged
        if one.gain and one.gain.gain is not None
    ]
    worst = min(known, default=None)
    text = "no segment with rows enough" if worst is None else f"{worst[0]:+.4g} {settings.metric} in {worst[1]}"
    held = worst is None or worst[0] >= -limit
    yield PromotionRule("max_segment_loss", held, text, f"no segment of {len(judged)} worse by more than {limit:g}")


def describe_refusal(rules: Sequence[PromotionRule]) -> str:
    """The rules that do not hold, in words."""
    return "; ".join(f"{one.rule}: {one.found}, expected {one.limit}" for one in rules if not one.held)
