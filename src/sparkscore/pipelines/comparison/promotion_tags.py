"""What the tags of a promoted version say: when, who, in whose place, and by which rules."""

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sparkscore.model.registry.alias_promotion import AliasMove
from sparkscore.records import ComparisonReport, PromotionRule, to_utc_text

_MAX_TAG = 4_000
"""Characters: MLflow takes 5,000."""


def describe_promotion(report: ComparisonReport, rules: Sequence[PromotionRule], move: AliasMove) -> Mapping[str, str]:
    """The tags of the challenger's version."""
    why = {"as_ofs": [report.as_ofs[0], report.as_ofs[-1]], "rules": {one.rule: one.found for one in rules}}
    return {
        "sparkscore.promoted_at": to_utc_text(datetime.now(UTC)),
        "sparkscore.promoted_by": _user_name(),
        "sparkscore.promoted_over": move.champion,
        "sparkscore.promoted_to": move.alias,
        "sparkscore.promoted_by_job": report.job,
        "sparkscore.promoted_because": json.dumps(why)[:_MAX_TAG],
    }


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
