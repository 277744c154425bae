"""Which candidate is taken, and why the others are not. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sparkscore.records import Agreement, MeasuredModel


@dataclass(frozen=True, slots=True)
class ToleranceLimits:
    """How far a candidate may be from its parent, and how fast it has to be."""

    max_difference: float
    mean_difference: float
    max_flips: float
    max_auc_drop: float
    min_speedup: float


def judge_candidates(
    candidates: Sequence[MeasuredModel], limits: ToleranceLimits, *, parent_auc: float | None
) -> tuple[MeasuredModel, ...]:
    """The candidates with what became of each; the fastest one within the limits is chosen, of equal ones the smaller.

    Needs:   candidates whose status is `within_tolerance` where they were measured.
    """
    judged = [_judge_candidate(one, limits, parent_auc) for one in candidates]
    fitting = [one for one in judged if one.status == "within_tolerance" and one.speed is not None]
    best = max(fitting, key=_preference, default=None)
    return tuple(replace(one, status="chosen") if one is best else one for one in judged)


def find_missed_limits(agreement: Agreement, limits: ToleranceLimits, *, parent_auc: float | None) -> Iterator[str]:
    """What is beyond a limit, in words."""
    for name, value, limit in (
        ("greatest difference", agreement.max_difference, limits.max_difference),
        ("mean difference", agreement.mean_difference, limits.mean_difference),
        ("share of other labels", agreement.flip_ratio, limits.max_flips),
    ):
        if value is not None and not value <= limit:
            yield f"{name} {value:.3g}, at most {limit:g}"
    if parent_auc is not None and (agreement.auc is None or parent_auc - agreement.auc > limits.max_auc_drop):
        found = "none" if agreement.auc is None else f"{agreement.auc:.4f}"
        yield f"ROC AUC {found} instead of {parent_auc:.4f}, at most {limits.max_auc_drop:g} less"


def _judge_candidate(one: MeasuredModel, limits: ToleranceLimits, parent_auc: float | None) -> MeasuredModel:
    if one.agreement is None:
        return one
    missed = "; ".join(find_missed_limits(one.agreement, limits, parent_auc=parent_auc))
    if missed:
        return replace(one, status="tolerance_missed", reason=missed)
    if one.speedup is not None and one.speedup < limits.min_speedup:
        return replace(
            one, status="too_slow", reason=f"{one.speedup:.2f} times as fast, at least {limits.min_speedup:g}"
        )
    return one


def _preference(one: MeasuredModel) -> tuple[float, int]:
    """Speeds within two per cent are equal: noise."""
    speedup = one.speedup or 0.0
    return round(speedup, 1 if speedup < 10 else 0), -(one.bytes or 0)
