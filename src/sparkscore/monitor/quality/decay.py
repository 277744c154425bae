"""Whether performance has got worse than it was, and worse than is allowed. Records in, records out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sparkscore.records import METRICS_BY_NAME, DecayFinding, Measure, PerformanceRow

VALIDATION, BEST_WINDOW = "validation", "best_window"
_AGAINST = {VALIDATION: "in validation", BEST_WINDOW: "in its best window"}
FIRST_METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": ("roc_auc",),
    "classes": ("f1",),
    "numbers": ("rmse",),
    "ranking": ("ndcg",),
}
"""By what is predicted: the metric that a decay without names is about."""


class ValueLimit(Protocol):
    """The least and the greatest value of a metric, as settings have them."""

    @property
    def metric(self) -> str:
        """Its name."""

    @property
    def least(self) -> float | None:
        """None: there is none."""

    @property
    def greatest(self) -> float | None:
        """None: there is none."""


@dataclass(frozen=True, slots=True)
class PerformanceLimits:
    """What is too bad."""

    values: Sequence[ValueLimit] = ()
    decay: Mapping[str, float] | None = None
    """By which share of its reference each metric may be worse."""


def find_decays(
    row: PerformanceRow, *, validation: Mapping[str, float], best: Mapping[str, float]
) -> tuple[DecayFinding, ...]:
    """Each metric of a window beside that of validation and that of the best window, where these are known."""
    references = ((VALIDATION, validation), (BEST_WINDOW, best))
    return tuple(
        DecayFinding(name, against, known[name], measure.value, loss)
        for name, measure in row.quality.measures.items()
        for against, known in references
        if name in known
        and measure.value is not None
        and (loss := _relative_loss(name, measure.value, known[name])) is not None
    )


def find_best_values(rows: Iterable[PerformanceRow], *, min_rows: int) -> dict[str, float]:
    """The best value of each metric over windows of one model version that have rows enough."""
    best: dict[str, float] = {}
    for row in rows:
        if row.quality.count < min_rows:
            continue
        for name, measure in row.quality.measures.items():
            if measure.value is not None:
                best[name] = _better_value(name, best.get(name, measure.value), measure.value)
    return best


def find_broken_limits(row: PerformanceRow, limits: PerformanceLimits) -> tuple[str, ...]:
    """The limits that a window breaks, in words.

    A decay counts where the reference also lies outside of the confidence interval: chance is no decay.
    """
    return (*_broken_values(row, limits.values), *_broken_decays(row, limits.decay or {}))


def _broken_values(row: PerformanceRow, limits: Sequence[ValueLimit]) -> Iterator[str]:
    for limit in limits:
        value = row.quality.value(limit.metric)
        if value is None:
            continue
        if limit.least is not None and value < limit.least:
            yield f"{METRICS_BY_NAME[limit.metric].text} is {value:.4g}; the least is {limit.least:g}"
        if limit.greatest is not None and value > limit.greatest:
            yield f"{METRICS_BY_NAME[limit.metric].text} is {value:.4g}; the greatest is {limit.greatest:g}"


def _broken_decays(row: PerformanceRow, limits: Mapping[str, float]) -> Iterator[str]:
    for found in row.decays:
        most = limits.get(found.metric)
        measure = row.quality.measures[found.metric]
        if most is not None and found.loss > most and not _holds_reference(measure, found.reference):
            yield (
                f"{METRICS_BY_NAME[found.metric].text} is {found.value:.4g} and was {found.reference:.4g}"
                f" {_AGAINST[found.against]}: {found.loss:.1%} worse; the most is {most:.1%}"
            )


def _holds_reference(measure: Measure, reference: float) -> bool:
    return measure.low is not None and measure.high is not None and measure.low <= reference <= measure.high


def _relative_loss(metric: str, value: float, reference: float) -> float | None:
    if not reference:
        return None
    worse = reference - value if METRICS_BY_NAME[metric].is_better_high else value - reference
    return worse / abs(reference)


def _better_value(metric: str, one: float, other: float) -> float:
    return max(one, other) if METRICS_BY_NAME[metric].is_better_high else min(one, other)
