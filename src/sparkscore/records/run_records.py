"""A run: its identity, its stage, its publication and its events."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal

from sparkscore.records.canonical_text import json_digest, to_utc_text
from sparkscore.records.gate_records import RuleVerdict, Verdict
from sparkscore.records.micro_batch_formats import MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT

_ADDITION_MARK = "+"
_KIND_MARK = ":"
_FEATURE_KIND = "feature"
_CHANGES_KIND = "changes"
_GROUPS_KIND = "groups"
_BACKGROUND_KIND = "background"


@dataclass(frozen=True, slots=True)
class PinnedTable:
    """A table at one version: one that inputs are looked up in, or whose features are joined to the rows."""

    id: str
    version: int

    @classmethod
    def from_text(cls, text: str) -> "PinnedTable":
        """The inverse of `to_text`."""
        table_id, _, version = text.rpartition("@")
        return cls(table_id, int(version))

    def to_text(self) -> str:
        """As it stands in a scoring digest."""
        return f"{self.id}@{self.version}"


@dataclass(frozen=True, slots=True)
class PinAdditions:
    """What a run pins beside source and model, and what stands behind the digest of its settings."""

    lookups: tuple[PinnedTable, ...] = ()
    """The tables that inputs are looked up in, by their names in the config."""
    features: tuple[PinnedTable, ...] = ()
    """The tables whose features are joined to the rows, in the order of the config."""
    changes_since: int | None = None
    """The source version after which rows count as changed; None where all rows of the source are scored."""
    has_groups: bool = False
    """Whether each group of rows has a model of its own: then the model of the pins stands for all of them."""
    groups: PinnedTable | None = None
    """The table that maps groups to models; None where the URI of the config does."""
    background: PinnedTable | None = None
    """The table whose average row is the base of a linear model's reasons; None where there is none."""

    @classmethod
    def from_digest(cls, scoring_digest: str) -> "PinAdditions":
        """What stands behind the digest of the settings."""
        _, *texts = scoring_digest.split(_ADDITION_MARK)
        parts = [tuple(text.split(_KIND_MARK, 1)) if _KIND_MARK in text else ("", text) for text in texts]
        since = [int(value) for kind, value in parts if kind == _CHANGES_KIND]
        groups = [value for kind, value in parts if kind == _GROUPS_KIND]
        background = [value for kind, value in parts if kind == _BACKGROUND_KIND]
        return cls(
            tuple(PinnedTable.from_text(value) for kind, value in parts if not kind),
            tuple(PinnedTable.from_text(value) for kind, value in parts if kind == _FEATURE_KIND),
            since[0] if since else None,
            bool(groups),
            PinnedTable.from_text(groups[0]) if any(groups) else None,
            PinnedTable.from_text(background[0]) if background else None,
        )

    def add_to_digest(self, settings_digest: str) -> str:
        """The scoring digest of a run with these: the settings' own where there are none."""
        since = [] if self.changes_since is None else [f"{_CHANGES_KIND}{_KIND_MARK}{self.changes_since}"]
        features = (f"{_FEATURE_KIND}{_KIND_MARK}{one.to_text()}" for one in self.features)
        table = "" if self.groups is None else self.groups.to_text()
        groups = [f"{_GROUPS_KIND}{_KIND_MARK}{table}"] if self.has_groups else []
        average = [] if self.background is None else [f"{_BACKGROUND_KIND}{_KIND_MARK}{self.background.to_text()}"]
        texts = [settings_digest, *(one.to_text() for one in self.lookups), *features, *since, *groups, *average]
        return _ADDITION_MARK.join(texts)


@dataclass(frozen=True, slots=True)
class Pins:
    """What a run keeps fixed. Equal pins give equal predictions."""

    source_id: str
    source_version: int
    model_name: str
    model_version: str
    model_digest: str
    scoring_digest: str
    """Of the settings; after it, each behind a `+`, the further pins: `PinAdditions`."""

    @property
    def settings_digest(self) -> str:
        """The scoring digest of the settings alone."""
        return self.scoring_digest.partition(_ADDITION_MARK)[0]

    @property
    def additions(self) -> PinAdditions:
        """What is pinned beside source, model and settings."""
        return PinAdditions.from_digest(self.scoring_digest)

    @property
    def lookups(self) -> tuple[PinnedTable, ...]:
        """The tables that inputs are looked up in."""
        return self.additions.lookups

    @property
    def has_groups(self) -> bool:
        """Whether each row names its own model, as rows of different groups have different ones."""
        return self.additions.has_groups

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
class OutputLookup:
    """A small table that a run joins to its predictions, at the version that it was pinned to."""

    table: str
    """As the config names it."""
    table_id: str
    version: int
    digest: str
    """sha256 over the rows that are used."""


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """How a run makes the columns that it publishes from what the model returned. No part of its pins."""

    threshold: float | None = None
    columns: str | None = None
    """Digest of `output.columns` and `output.classes`; None where there are no such columns."""
    lookups: tuple[OutputLookup, ...] = ()
    """What of other tables the columns are made from."""

    def to_dict(self) -> dict[str, Any]:
        """What is set. Empty where predictions are published as the model returned them."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Postprocessing":
        """The inverse of `to_dict`; names that only a newer version knows are left out."""
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        return cls(**{**known, "lookups": tuple(OutputLookup(**one) for one in known.get("lookups", ()))})

    def differences(self, other: "Postprocessing") -> list[str]:
        """One line per value that the config names and that differs: `threshold 0.5 published, 0.4 asked for`.

        A newer version of a table that is joined is none, as that of a source is none.
        """
        named = {"threshold": (self.threshold, other.threshold), "output.columns": (self.columns, other.columns)}
        return [
            f"{name} {_short_value(mine)} published, {_short_value(theirs)} asked for"
            for name, (mine, theirs) in named.items()
            if mine != theirs
        ]


def _short_value(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)


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
    def champion_app_id(self) -> str:
        """Delta's application id of the commits of this as_of to the prediction table."""
        return f"sparkscore/{self.identity_job}/{to_utc_text(self.as_of)}"

    @property
    def txn_app_id(self) -> str:
        """Delta's application id of the commits of this run; `txn_version` is its version."""
        return self.champion_app_id

    @property
    def txn_version(self) -> int:
        """The revision."""
        return self.revision

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
    removed_earlier: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Rows of earlier as_ofs that the commit has removed, because the source no longer has their key; by run_id."""
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


EventKind = Literal["started", "staged", "published", "failed", "aborted", "monitored", "exported", "challenged"]
"""What may happen to an attempt."""
FOLLOW_UP_EVENTS = frozenset({"monitored", "exported", "challenged"})
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
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the gates had found until then."""
        found = self.parsed_details.get("verdicts") or ()
        return tuple(
            Verdict(one["gate"], one["suite"], tuple(RuleVerdict(**rule) for rule in one["rules"]), one["seconds"])
            for one in found
        )

    @property
    def is_of_micro_batch(self) -> bool:
        """Whether the run is one over a micro-batch, which a stream has landed."""
        landing = self.parsed_details.get("landing") or {}
        return str(landing.get("format")) in (MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT)

    @property
    def rows_marked(self) -> int:
        """Rows of the publication that say that the source no longer has a key."""
        told = self.parsed_details.get("increment") or {}
        return (told.get("rows_deleted") or 0) if told.get("on_delete") == "mark" else 0

    @property
    def rows_visible(self) -> int:
        """Rows of the publication: predictions, and marks of deleted keys."""
        return (self.rows_scored or 0) + self.rows_marked

    @property
    def parsed_details(self) -> Mapping[str, Any]:
        """`details` as a mapping: seconds per phase, verdicts, transport, executors, drift, SLA."""
        parsed: Mapping[str, Any] = json.loads(self.details) if self.details else {}
        return parsed
