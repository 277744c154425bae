"""The result of `maintain`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.report_records import RESULT_SCHEMA


@dataclass(frozen=True, slots=True)
class SkippedStep:
    """Something that upkeep left as it is, and why."""

    step: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """The result of `maintain`: the JSON line on stdout. After a dry run, what would be done."""

    job: str
    status: Literal["maintained", "nothing_to_do", "dry_run", "failed"]
    exit_code: int = 0
    table: str | None = None
    expired_before: str | None = None
    """Rows of an older as_of_date are removed; None without output.retention_days."""
    as_of_expired: int = 0
    predictions_expired: int = 0
    """Rows, as are the next three."""
    rejects_expired: int = 0
    events_expired: int = 0
    profiles_expired: int = 0
    """Rows of profiles and of drift."""
    stages_removed: int = 0
    stage_bytes_removed: int = 0
    models_removed: int = 0
    model_bytes_removed: int = 0
    files_compacted: int = 0
    """Small files that became parts of bigger ones."""
    files_vacuumed: int = 0
    skipped: tuple[SkippedStep, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step, `total` among them."""
    error: ErrorSummary | None = None
    schema: int = RESULT_SCHEMA

    @property
    def is_idle(self) -> bool:
        """Nothing was there to be done."""
        counts = (self.as_of_expired, self.stages_removed, self.models_removed)
        return not any((*counts, self.files_compacted, self.files_vacuumed))

    def to_json(self) -> str:
        """One line of JSON."""
        error = None if self.error is None else self.error.to_dict()
        return json.dumps({**asdict(self), "error": error}, default=str)
