"""A shadow run beside production's: what differs, and whether that is within the limits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.comparison_records import ModelAgreement
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.monitor_records import Drift
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json

ShadowStatus = Literal["compared", "failed"]
"""How it ended; a limit that is exceeded is `compared`, with exit code 5."""


@dataclass(frozen=True, slots=True)
class ShadowSide:
    """Production's run, or its shadow."""

    table: str
    """Its prediction table."""
    run_id: str | None = None
    """Of its rows."""
    model: ReportedModel | None = None
    """The version that scored them."""
    source_version: int | None = None
    """Version of the source, or of its landing."""
    rows: int | None = None
    """Rows with a prediction."""
    rejected: int | None = None
    """Rows that were not scored."""
    seconds: float | None = None
    """Of scoring and writing the stage."""
    transport: str | None = None
    """How rows reached the model."""


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """A limit of `shadow`, and whether it is kept."""

    rule: str
    """Its name in the config: `max_changed`."""
    held: bool
    """It is kept."""
    found: float | None
    """What was found; None where it could not be measured, which keeps no limit."""
    limit: float
    """The limit."""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """The result of `score --shadow`: the JSON line on stdout."""

    job: str
    """Name of production's job."""
    as_of: str | None
    """The logical time of both runs."""
    status: ShadowStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process: 5 where a limit is exceeded."""
    production: ShadowSide | None = None
    """What is published."""
    shadow: ShadowSide | None = None
    """What was scored beside it."""
    only_production: int | None = None
    """Rows of production that the shadow lacks."""
    only_shadow: int | None = None
    """Rows of the shadow that production lacks."""
    agreement: ModelAgreement | None = None
    """Over all rows of both: the champion is production, the challenger the shadow."""
    segments: tuple[ModelAgreement, ...] = ()
    """The same by segment."""
    drifts: tuple[Drift, ...] = ()
    """How far the shadow's predictions are from production's, over all rows and by segment."""
    rules: tuple[ShadowRule, ...] = ()
    """Each limit that is set."""
    report: str | None = None
    """Where the HTML page is."""
    warnings: tuple[str, ...] = ()
    """What did not stop the comparison."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per part, `total` among them."""
    error: ErrorSummary | None = None
    """Why it failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
