"""Every score of one key, and why there is none where there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json

KeyStatus = Literal[
    "scored",
    "deleted",
    "rejected",
    "filtered",
    "not_in_source",
    "unchanged",
    "removed",
    "not_published",
    "no_run",
    "unreadable",
    "unknown",
]
"""What became of a key in a run: `deleted` marks a key that the source no longer has, `unchanged` is left out by a run
that scores changes alone, `removed` was published and taken away by a later commit."""
ExplanationStatus = Literal["scored", "not_scored", "no_runs"]
"""Whether readers see a prediction of the key for any as_of; `no_runs`: the job has none."""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """What one publication of an as_of says of the key, or why none does."""

    as_of: str
    """The logical time, UTC."""
    status: KeyStatus
    """What became of the key."""
    is_current: bool
    """Whether it is what readers see of this as_of now; false for superseded publications."""
    revision: int | None = None
    """Of the publication; None where no run event tells it."""
    run_id: str | None = None
    """The run."""
    verb: str | None = None
    """The verb that published: score, rollback or rejects."""
    model: ReportedModel | None = None
    """The version that predicted it."""
    source: str | None = None
    """The source table."""
    source_version: int | None = None
    """The version of it that was scored."""
    published_at: str | None = None
    """When it was published, UTC."""
    table_version: int | None = None
    """The version of the prediction table that made it visible."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The prediction and all further columns of the row; empty without a row."""
    code: str | None = None
    """Of a reject its code, of a failed attempt the class of its error."""
    reason: str | None = None
    """Why there is no prediction, in words."""


@dataclass(frozen=True, slots=True)
class ChallengerScore:
    """What a challenger has predicted for the key."""

    as_of: str
    """The logical time, UTC."""
    model: ReportedModel
    """The challenger."""
    run_id: str | None = None
    """Of its rows in the table of challengers."""
    champion_run_id: str | None = None
    """The run beside which it was predicted."""
    source_version: int | None = None
    """The version of the source that was scored."""
    published_at: str | None = None
    """When it was published, UTC."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The prediction and all further columns of the row."""


@dataclass(frozen=True, slots=True)
class KeyExplanation:
    """The result of `explain`: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: ExplanationStatus
    """Whether readers see a prediction of the key."""
    table: str
    """The prediction table."""
    key: Mapping[str, Any] = field(default_factory=dict)
    """The key that was asked for, by column; `***` for columns of source.sensitive."""
    entries: tuple[KeyEntry, ...] = ()
    """Oldest as_of first, and within one the oldest revision first."""
    challengers: tuple[ChallengerScore, ...] = ()
    """Oldest first."""
    warnings: tuple[str, ...] = ()
    """What could not be looked up, and why."""
    exit_code: int = 0
    """Of the process."""
    error: ErrorSummary | None = None
    """Why it failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
