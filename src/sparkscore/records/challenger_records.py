"""A challenger of a run: what it is, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal

from sparkscore.records.model_records import ReportedModel
from sparkscore.records.run_records import Run

ChallengerStatus = Literal["published", "failed", "skipped"]
"""How it ended; `skipped`: it is the champion itself."""


@dataclass(frozen=True, slots=True)
class ChallengerRun(Run):
    """What a challenger publishes beside the run of its champion: a run of its own, with pins of its own."""

    champion_run_id: str = ""
    guard_version: int = 0
    """Delta's transaction version of its commit: greater than those of all earlier commits to the table."""

    @property
    def txn_app_id(self) -> str:
        """Delta's application id of the commits of this model version for this as_of."""
        return f"{self.champion_app_id}/challenger/{self.pins.model_name}/{self.pins.model_version}"

    @property
    def txn_version(self) -> int:
        """The transaction version of its commit."""
        return self.guard_version

    @property
    def rows_condition(self) -> Mapping[str, Any]:
        """The columns that its rows have in common, and no others of the table, with their values."""
        as_of = self.as_of.astimezone(UTC)
        return {
            "as_of_date": as_of.date(),
            "as_of": as_of,
            "model_name": self.pins.model_name,
            "model_version": self.pins.model_version,
        }


@dataclass(frozen=True, slots=True)
class ReportedChallenger:
    """What became of a challenger: an entry of `challengers` in the result line."""

    uri: str
    """As the config names it."""
    status: ChallengerStatus
    """How it ended."""
    model: ReportedModel | None = None
    """The version that it was; None where it could not be resolved."""
    run_id: str | None = None
    """Of its rows in the table of challengers."""
    rows: int | None = None
    """Rows with its prediction."""
    rejects: int | None = None
    """Rows that it could not predict."""
    seconds: float | None = None
    """Seconds of all tasks together, without reading and loading; None where an earlier attempt scored."""
    champion_seconds: float | None = None
    """The same of the champion, in the same pass; None where the challenger was scored by itself."""
    loads: int | None = None
    """How often it was loaded."""
    model_bytes: int | None = None
    """Size of its files."""
    model_counts: Mapping[str, float] = field(default_factory=dict)
    """What the model itself has counted (`ScoredRows.counts`)."""
    in_pass: bool = False
    """Whether it got its rows from the champion's pass over the source."""
    error: str | None = None
    """Why it failed."""
