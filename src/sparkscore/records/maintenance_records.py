"""The result of `maintain`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json


@dataclass(frozen=True, slots=True)
class SkippedStep:
    """Something that the maintenance left as it is, and why."""

    step: str
    """Of the maintenance: expire, stages, landings, models, compact or vacuum."""
    what: str
    """The table, stage or copy of a model."""
    reason: str
    """Why it was left."""


MaintenanceStatus = Literal["maintained", "nothing_to_do", "dry_run", "failed"]
"""How a maintenance ended."""


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """The result of `maintain`: the JSON line on stdout. After a dry run, what would be done."""

    job: str
    """Name of the job."""
    status: MaintenanceStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process."""
    table: str | None = None
    """The prediction table."""
    expired_before: str | None = None
    """Rows of an older as_of_date are removed; None without output.retention_days."""
    as_of_expired: int = 0
    """How many as_of were removed by retention."""
    predictions_expired: int = 0
    """Rows of the prediction table."""
    derived_expired: int = 0
    """Rows of the queue and of the feature table."""
    challengers_expired: int = 0
    """Rows of the table of challengers."""
    rejects_expired: int = 0
    """Rows of the table of rejects."""
    events_expired: int = 0
    """Rows of the run events."""
    profiles_expired: int = 0
    """Rows of profiles and of drift."""
    reused_expired: int = 0
    """Reused predictions that no run has used for `model.reuse_days`."""
    stages_removed: int = 0
    """Stages of settled runs."""
    stage_bytes_removed: int = 0
    """Size of those stages."""
    landings_removed: int = 0
    """Copies of sources without versions, one per as_of of a settled run."""
    landing_bytes_removed: int = 0
    """Size of those copies."""
    models_removed: int = 0
    """Copies of models."""
    model_bytes_removed: int = 0
    """Size of those copies."""
    files_compacted: int = 0
    """Small files that were combined into bigger ones."""
    files_vacuumed: int = 0
    """Data files that no kept version needs."""
    skipped: tuple[SkippedStep, ...] = ()
    """What was left as it is, and why."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the call."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step, `total` among them."""
    error: ErrorSummary | None = None
    """Why the call failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape."""

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do."""
        counts = (
            self.as_of_expired,
            self.reused_expired,
            self.stages_removed,
            self.landings_removed,
            self.models_removed,
        )
        return not any((*counts, self.files_compacted, self.files_vacuumed))

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
