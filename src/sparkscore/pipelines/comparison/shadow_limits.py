"""Whether a shadow is as near to production as its config asks for. Pure."""

from sparkscore.records import ModelAgreement, ShadowRule
from sparkscore.settings.shadow_settings import ShadowSettings


def judge_shadow(
    agreement: ModelAgreement | None, limits: ShadowSettings, *, paired: int, rows: int
) -> tuple[ShadowRule, ...]:
    """Each limit that is set, and whether it is kept; what could not be measured keeps none.

    `paired`: rows of both; `rows`: those of production.
    """
    equal = None if agreement is None else agreement.equal_share
    found = {
        "max_changed": None if equal is None else 1 - equal,
        "max_difference": None if agreement is None else agreement.mean_absolute_difference,
        "max_missing": (rows - paired) / rows if rows else 0.0,
    }
    given = {name: getattr(limits, name) for name in found}
    return tuple(
        ShadowRule(name, _is_kept(found[name], limit), found[name], limit)
        for name, limit in given.items()
        if limit is not None
    )


def _is_kept(found: float | None, limit: float) -> bool:
    return found is not None and found <= limit
