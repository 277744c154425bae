"""The result of an attempt, and the contents of a run's report."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.challenger_records import ReportedChallenger
from sparkscore.records.change_records import ReportedIncrement
from sparkscore.records.export_records import ReportedExport
from sparkscore.records.feature_records import ReportedFeatures
from sparkscore.records.gate_records import Verdict
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.monitor_records import ColumnProfile, Drift, SlaRule
from sparkscore.records.plan_records import PlannedWork
from sparkscore.records.run_records import RejectCount, RunEvent

RESULT_SCHEMA = 1
"""Version of the result line's shape."""


def to_result_json(result: Mapping[str, Any], error: ErrorSummary | None) -> str:
    """A result as one line of JSON, its error by the names that the line has."""
    return json.dumps({**result, "error": error and error.to_dict()}, default=str)


RunStatus = Literal[
    "published",
    "already_published",
    "superseded",
    "nothing_to_score",
    "dry_run",
    "failed",
    "aborted",
    "unfinished",
]
"""How an attempt ended. `aborted` and `unfinished` (no event says that it ended) appear in reports of earlier attempts,
never in a result line: an attempt cannot know them about itself."""


@dataclass(frozen=True, slots=True)
class ReportedGroup:
    """One of the groups of a run with one model per group."""

    group: str
    """Its columns and their values."""
    model: str | None
    """Name and version; None where it has none."""
    rows: int | None = None
    """None where this attempt has not counted them."""


@dataclass(frozen=True, slots=True)
class ReportedGroups:
    """The groups of a run with one model per group; all of them are in `<table>_models`."""

    groups: int
    """With a row in the source."""
    models: int
    """Versions that score them."""
    missing: int
    """Groups without a model: their rows are rejects."""
    largest: tuple[ReportedGroup, ...] = ()
    """Some, those with the most rows first."""


@dataclass(frozen=True, slots=True)
class ReportedSource:
    """The table that a run read."""

    table: str
    """As the config names it."""
    version: int | None = None
    """None before the run pinned one; of a source without versions, that of the table in which it was landed."""
    format: str = "delta"
    """What the source is."""
    landed_at: str | None = None
    """When the rows of a source without versions were landed; None for a Delta table."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of one attempt: the JSON line on stdout."""

    job: str
    """Name of the job."""
    as_of: str | None
    """The logical time that the run stands for, in UTC; None if it could not be read."""
    status: RunStatus
    """How the attempt ended."""
    exit_code: int = 0
    """Of the process."""
    run_id: str | None = None
    """The sha256 of job, as_of, revision and pins; None before the pins are known."""
    revision: int | None = None
    """The number of the publication of the as_of, from 1."""
    attempt: int | None = None
    """The number of the process that worked on the revision, from 1."""
    rows_read: int | None = None
    """Rows of the source after the filter."""
    rows_scored: int | None = None
    """Rows with a prediction."""
    rows_rejected: int | None = None
    """Rows that were not scored, each with a reason in the table of rejects."""
    predicted_rows: int | None = None
    """With `model.reuse`: different inputs that the model has predicted for the run; None without it."""
    reused_rows: int | None = None
    """With `model.reuse`: rows with a prediction for which the model was not called; None without it."""
    rows_removed: int | None = None
    """Rows of an earlier publication of the as_of whose keys are gone, and which this one deleted; None if unknown."""
    model: ReportedModel | None = None
    """The model that scored."""
    source: ReportedSource | None = None
    """The table that was scored."""
    features: tuple[ReportedFeatures, ...] = ()
    """Of `source.features`: what was joined to the rows."""
    table: str | None = None
    """The prediction table."""
    table_version: int | None = None
    """Delta version of the prediction table that made the run visible."""
    transport: str | None = None
    """How rows reached the model: scan, arrow or pandas_udf."""
    transport_reason: str | None = None
    """Why this transport: what the scan covers, or what kept it from being sure."""
    model_loads: int | None = None
    """How often the model was loaded, in all workers."""
    chunks_reused: int | None = None
    """Chunks of the stage that earlier attempts had finished."""
    newer: Mapping[str, Any] | None = None
    """What a run with new pins would take: `source_version`, `model_version`; None when nothing is newer."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the run."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per part, `total` among them."""
    rows_per_second: float | None = None
    """Rows scored per second of the score-and-stage part."""
    executors: Mapping[str, float] = field(default_factory=dict)
    """What the workers did: see `scoring.counters`."""
    model_counts: Mapping[str, float] = field(default_factory=dict)
    """What the model itself has counted (`ScoredRows.counts`), added up over all calls."""
    drifted: int | None = None
    """Number of columns that drifted; None if nothing was compared."""
    sla_broken: tuple[str, ...] = ()
    """The rules of `sla` that the run broke, in words."""
    report: str | None = None
    """Where the run's HTML report is."""
    exports: tuple[ReportedExport, ...] = ()
    """Of `output.exports`, those that this attempt has made or tried."""
    challengers: tuple[ReportedChallenger, ...] = ()
    """Of `challengers`, what this attempt has scored or tried."""
    error: ErrorSummary | None = None
    """Why the attempt failed; with exit code 75 and a status of a publication, why an export failed."""
    groups: ReportedGroups | None = None
    """Of a run with one model per group: how many there are, and the largest."""
    increment: ReportedIncrement | None = None
    """What was scored of a source with `source.read: changes`; None where a run reads all rows anyway."""
    plan: PlannedWork | None = None
    """How much work a run would be, and how long it is likely to take; with --dry-run only."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that is known of one run, for its report: what `pipelines.report` reads from the job's tables."""

    report: RunReport
    """`seconds`, `executors`, counts, model, source."""
    verdicts: tuple[Verdict, ...]
    profiles: tuple[ColumnProfile, ...]
    previous_profiles: tuple[ColumnProfile, ...]
    """Of the run before, in as_of; empty for the first one."""
    drifts: tuple[Drift, ...]
    rejects: tuple[RejectCount, ...]
    sla: tuple[SlaRule, ...]
    history: tuple[RunEvent, ...]
    """The last event of each as_of's newest revision, oldest first, this run's too: for what changes over time."""
    cores: int = 1
    """Slots that the run had."""
    price_core_hour: float | None = None
    price_gpu_hour: float | None = None
