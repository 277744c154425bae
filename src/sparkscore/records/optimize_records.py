"""Candidates for a faster model: what was measured of them, and the result of `optimize-model`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.report_records import RESULT_SCHEMA, ReportedSource, to_result_json

CandidateStatus = Literal["chosen", "within_tolerance", "too_slow", "tolerance_missed", "not_applicable", "failed"]
"""What became of a candidate."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a candidate's predictions are from the parent's, over the same rows."""

    max_difference: float | None
    """Greatest difference of a number of a prediction; None where predictions are text."""
    mean_difference: float | None
    """Mean difference; None where predictions are text."""
    flips: int
    """Rows with another label: another class, or the other side of the threshold."""
    flip_ratio: float
    """Share of those rows."""
    auc: float | None = None
    """Area under the ROC curve, by `optimize.label`; None where there is no label, or only one class."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model predicts batches, from Arrow columns to predictions, as in a scoring run."""

    load_seconds: float
    """To load it where its libraries are imported."""
    rows_per_second: float
    """The median of the rounds."""
    rows_per_second_range: tuple[float, float]
    """The slowest and the fastest round."""
    p50_ms: float
    """Median of the time for a batch."""
    p99_ms: float
    """99th percentile of the time for a batch."""


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """The parent by one of its runtimes, or a candidate."""

    name: str
    """A name of `optimize.candidates`, or `parent, <runtime>`."""
    status: CandidateStatus | Literal["parent"]
    """What became of it."""
    reason: str = ""
    """Why it was not chosen, or what it is."""
    bytes: int | None = None
    """Of its files; None where there are none."""
    speed: Speed | None = None
    """None where it was not measured."""
    agreement: Agreement | None = None
    """With the parent; None where it was not measured."""
    speedup: float | None = None
    """Median over the rounds of its rows per second over those of the parent by its own runtime."""
    speedup_range: tuple[float, float] | None = None
    """The least and the greatest of the rounds."""
    speedup_over_pyfunc: float | None = None
    """Median over the rounds of its rows per second over those of the parent by MLflow's pyfunc."""


OptimizationStatus = Literal["registered", "measured", "failed"]
"""How the optimisation ended; `measured`: `optimize.register` is false."""


@dataclass(frozen=True, slots=True)
class OptimizationReport:
    """The result of `optimize-model`: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: OptimizationStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process."""
    parent: ReportedModel | None = None
    """The model that was optimised."""
    source: ReportedSource | None = None
    """The table whose rows were predicted."""
    rows: int = 0
    """How many of its rows were predicted."""
    batch_rows: int = 0
    """Rows of a batch."""
    cores: int = 0
    """Threads that each model had."""
    measured: tuple[MeasuredModel, ...] = ()
    """The parent, by each of its runtimes, and the candidates."""
    chosen: str | None = None
    """The candidate that was chosen."""
    version: str | None = None
    """The registered version of it."""
    promoted: str | None = None
    """The alias that names it now."""
    mlflow_run: str | None = None
    """The MLflow run with the report and the candidates' numbers."""
    report: str | None = None
    """Where the report is."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the call."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of its parts, and in `total`."""
    error: ErrorSummary | None = None
    """Why the call failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
