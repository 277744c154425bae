"""A run: its identity, its stage, its publication and its events."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal

from sparkscore.records.canonical_text import json_digest, to_utc_text


@dataclass(frozen=True, slots=True)
class Pins:
    """What a run keeps fixed. Equal pins give equal predictions."""

    source_id: str
    source_version: int
    model_name: str
    model_version: str
    model_digest: str
    scoring_digest: str

    def stage_id(self, as_of: datetime) -> str:
        """Identity of the stage: runs with equal pins and as_of share it."""
        return json_digest([asdict(self), to_utc_text(as_of)])

    def differences(self, other: "Pins") -> list[str]:
        """One line per pin that differs: `model_version: 3 here, 4 there`."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name}: {mine[name]} published, {theirs[name]} asked for" for name in mine if mine[name] != theirs[name]
        ]


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """How a run makes the columns that it publishes from what the model returned. No part of its pins."""

    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is set. Empty where predictions are published as the model returned them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Postprocessing":
        """The inverse of `to_dict`; names that only a newer version knows are left out."""
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name in values})

    def differences(self, other: "Postprocessing") -> list[str]:
        """One line per value that differs: `threshold 0.5 published, 0.4 asked for`."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name} {mine[name]} published, {theirs[name]} asked for" for name in mine if mine[name] != theirs[name]
        ]


NO_POSTPROCESSING = Postprocessing()
"""Predictions are published as the model returned them."""


@dataclass(frozen=True, slots=True)
class Run:
    """One publication of a job for one as_of, and the attempt that works on it."""

    job: str
    as_of: datetime
    revision: int
    attempt: int
    pins: Pins
    source_table: str
    model_id: str
    postprocessing: Postprocessing = NO_POSTPROCESSING
    """Empty, too, for runs that an older version began: their scoring digest holds the threshold."""
    first_job: str = ""
    """The name that a renamed job had at first; empty for a job that has its first name."""

    @property
    def identity_job(self) -> str:
        """The job's name in run_ids, guards of commits and folders of stages: a rename changes none of them."""
        return self.first_job or self.job

    @property
    def run_id(self) -> str:
        """sha256 of job, as_of, revision, pins, and of the post-processing where there is any."""
        identity: list[Any] = [self.identity_job, to_utc_text(self.as_of), self.revision, asdict(self.pins)]
        applied = self.postprocessing.to_dict()
        return json_digest([*identity, applied] if applied else identity)

    @property
    def stage_id(self) -> str:
        """sha256 of pins and as_of."""
        return self.pins.stage_id(self.as_of)

    @property
    def txn_app_id(self) -> str:
        """Delta's application id of the commits of this as_of; the revision is its version."""
        return f"sparkscore/{self.identity_job}/{to_utc_text(self.as_of)}"

    def lineage_values(self, *, scored_at: datetime) -> dict[str, Any]:
        """The lineage of the rows that belong to the run, by column: `schemas.LINEAGE_COLUMNS`."""
        as_of = self.as_of.astimezone(UTC)
        return {
            "model_name": self.pins.model_name,
            "model_version": self.pins.model_version,
            "model_id": self.model_id,
            "run_id": self.run_id,
            "source_version": self.pins.source_version,
            "as_of": as_of,
            "as_of_date": as_of.date(),
            "scored_at": scored_at,
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """Predictions that are written and not visible yet, at `path` and `version`."""

    stage_id: str
    path: str
    version: int
    rows: int
    """All rows: scored and rejected."""
    rejected: int
    chunks_reused: int = 0
    keys_ascend: bool = False
    """The tasks that wrote it saw that no key is there twice; where False it has to be counted."""

    @property
    def scored(self) -> int:
        """Rows with a prediction."""
        return self.rows - self.rejected


@dataclass(frozen=True, slots=True)
class Publication:
    """The one commit that made a run visible."""

    table: str
    table_version: int | None
    """None when the table's history no longer holds the commit."""
    run_id: str
    revision: int
    rows: int
    removed: int | None = field(default=None, compare=False)
    """Rows of an earlier publication whose keys are gone, and which the commit deleted; None where it is not known."""
    committed: bool = field(default=True, compare=False)
    """False: another attempt of the run had already made the commit."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What changes for readers of an as_of if other rows replace the current ones."""

    rows_before: int
    rows_after: int
    keys_removed: int
    keys_added: int
    keys_changed: int
    """Keys in both, with another prediction or another pass-through value."""


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many rows a run rejected for one reason."""

    as_of: datetime
    run_id: str
    code: str
    error: str | None
    """Class of the model's error; None for a broken rule."""
    rows: int


@dataclass(frozen=True, slots=True)
class PublicationKey:
    """Which run is the publication of an as_of, as its run event says, without what else that holds."""

    as_of: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The as_ofs of a job: what its run events tell without their details, which grow with every run."""

    as_ofs: tuple[datetime, ...]
    """All that have an event, ascending."""
    publications: tuple[PublicationKey, ...]
    """The newest one of each as_of that has one with a run_id, by as_of."""


EventKind = Literal["started", "staged", "published", "failed", "aborted", "monitored", "exported"]
"""What may happen to an attempt."""
FOLLOW_UP_EVENTS = frozenset({"monitored", "exported"})
"""What follows a publication: it does not say how far the attempt came."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One line of a job's history. Grain: one row per (run_id, attempt, event)."""

    job: str
    as_of: datetime
    revision: int
    attempt: int
    event: EventKind
    at: datetime
    run_id: str | None = None
    pins: Pins | None = None
    source_table: str | None = None
    model_id: str | None = None
    rows_read: int | None = None
    rows_scored: int | None = None
    rows_rejected: int | None = None
    table_version: int | None = None
    exit_code: int | None = None
    error: str | None = None
    message: str | None = None
    details: str | None = None

    @property
    def verb(self) -> str:
        """The verb whose attempt this is."""
        return str(self.parsed_details.get("verb", "score"))

    @property
    def postprocessing(self) -> Postprocessing:
        """Of the run: empty where an older version has written the event."""
        return Postprocessing.from_dict(self.parsed_details.get("postprocessing") or {})

    @property
    def origin_run_id(self) -> str | None:
        """The run that the attempt started from: whose rows a rollback publishes again, whose rejects are retried."""
        return self.parsed_details.get("of_run")

    @property
    def parsed_details(self) -> Mapping[str, Any]:
        """`details` as a mapping: seconds per phase, verdicts, transport, executors, drift, SLA."""
        parsed: Mapping[str, Any] = json.loads(self.details) if self.details else {}
        return parsed
