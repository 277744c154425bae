"""A challenger of a run as the driver sees it: what it is, what became of it, and how that is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkscore.errors import SparkscoreError
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.scoring.counters import Counters
from sparkscore.settings.challenger_settings import ChallengerSettings
from sparkscore.spark.error_translation import to_sparkscore_error


@dataclass
class Challenger:
    """A challenger of a run, and what became of it so far."""

    settings: ChallengerSettings
    attempt: Attempt
    """A child of the champion's, with its settings in the place of the champion's; it records no events."""
    counters: Counters
    plan: Plan | None = None
    """None where it could not be pinned, or is the champion."""
    error: SparkscoreError | None = None
    is_champion: bool = False
    seconds: float | None = None
    """Of all tasks of the champion's pass."""
    champion_seconds: float | None = None
    in_pass: bool = False
    model_bytes: int | None = None

    @property
    def can_run(self) -> bool:
        """Whether it has not failed so far, and has something to do."""
        return self.plan is not None and self.error is None


def describe_challenger_error(challenger: Challenger, error: Exception) -> SparkscoreError:
    """An error of the suite, without values where the source has sensitive columns."""
    if isinstance(error, SparkscoreError):
        return error
    is_sensitive = bool(challenger.attempt.settings.source.sensitive)
    text = type(error).__name__ if is_sensitive else shorten_redacted(f"{type(error).__name__}: {error}", 500)
    return to_sparkscore_error(error, f"the challenger {challenger.settings.uri}") or SparkscoreError(text)


def describe_challengers(challengers: Sequence[Challenger]) -> list[tuple[str, str]]:
    """A line of the plan for each: what it is, or why it would not be scored."""
    return [("challenger", f"{one.settings.uri}: {_challenger_text(one)}") for one in challengers]


def _challenger_text(challenger: Challenger) -> str:
    if challenger.is_champion:
        return "the champion itself, not scored twice"
    if challenger.error is not None or challenger.plan is None:
        return f"would fail: {challenger.error and challenger.error.found}"
    model = challenger.plan.model
    return f"{model.name} version {model.version}, {model.runtime} runtime, up to {challenger.settings.timeout:g} s"
