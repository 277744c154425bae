"""The result of a stream, and how far it is behind its source."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.report_records import RESULT_SCHEMA, ReportedSource, to_result_json

StreamStatus = Literal["finished", "stopped", "failed"]
"""How a stream ended: with all that was there, by `--max-batches`, or by an error."""


@dataclass(frozen=True, slots=True)
class SourceLag:
    """How far what is published is behind the source."""

    behind: int
    """Versions of a Delta table, or records of a topic, that the source has and that are not published yet."""
    seconds: float | None = None
    """How long the oldest version of them has been there; 0 where there is none; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class StreamReport:
    """The result of a stream: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: StreamStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process."""
    trigger: str | None = None
    """When a micro-batch begins, by `stream.trigger`."""
    checkpoint: str | None = None
    """The folder of the checkpoint."""
    source: ReportedSource | None = None
    """What was scored; its version is the newest one that is published in full."""
    table: str | None = None
    """The prediction table."""
    batches: int = 0
    """Micro-batches that this call has published, those without rows apart."""
    batches_empty: int = 0
    """Those without a row to score."""
    batches_repeated: int = 0
    """Those that an earlier call had published already, and whose end the checkpoint did not know."""
    batches_quarantined: int = 0
    """Those that a gate refused, and which the stream has passed by."""
    quarantined: tuple[str, ...] = ()
    """The as_ofs of the newest of them."""
    rows_read: int = 0
    """Rows of the micro-batches after the filter."""
    rows_scored: int = 0
    """Rows with a prediction."""
    rows_rejected: int = 0
    """Rows that were not scored, each with a reason in the table of rejects."""
    model: ReportedModel | None = None
    """The model of the last micro-batch."""
    models: Mapping[str, int] = field(default_factory=dict)
    """How many micro-batches each version of the model has scored."""
    model_loads: int = 0
    """How often a model was loaded, in all workers."""
    first_batch: int | None = None
    """Number of the first micro-batch of this call, in its checkpoint."""
    last_batch: int | None = None
    """Number of the last one."""
    first_as_of: str | None = None
    """The as_of of the first one."""
    last_as_of: str | None = None
    """The as_of of the last one."""
    last_run_id: str | None = None
    """The run of the last one that was published."""
    lag_behind: int | None = None
    """Versions, or records of a topic, that the source has and that are not published."""
    lag_seconds: float | None = None
    """How long the oldest of these versions has been there."""
    rows_per_second: float | None = None
    """Rows scored per second of work on micro-batches, reading and publishing included."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of work on micro-batches (`batches`), of the slowest one (`slowest_batch`), and in all (`total`)."""
    drifted: int | None = None
    """Columns of the last micro-batch that was monitored which drifted; None if nothing was compared."""
    report: str | None = None
    """Where the report of the last micro-batch that was monitored is."""
    warnings: tuple[str, ...] = ()
    """What did not stop the stream; each text once."""
    error: ErrorSummary | None = None
    """Why the stream failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
