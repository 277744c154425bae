"""A back-fill: what it takes for each as_of, what it does with each, and its result."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.canonical_text import to_utc_text
from sparkscore.records.report_records import RESULT_SCHEMA, RunReport, to_result_json

AsItWas = Literal["as_it_was", "as_it_is"]
"""What it was at the as_of, or what it is now."""
BackfillAction = Literal["score", "continue", "make_up", "skip", "leave_out", "missing"]
"""What a back-fill does with an as_of: score it; go on with an attempt that did not end; make up for the monitoring of
a publication; nothing, since it is published, since increments after it are, or since no version of the source is
left."""
BackfillStatus = Literal["backfilled", "nothing_to_do", "dry_run", "failed"]
"""How a back-fill ended."""
_SERIOUS_FIRST = (1, 2, 4, 3, 75, 5)
"""Exit codes: what no retry mends comes before what one does."""


@dataclass(frozen=True, slots=True)
class BackfillChoices:
    """What the caller of a back-fill has chosen."""

    source: AsItWas | None = None
    """Which version of the source is scored; None: as the config says it explicitly."""
    model: AsItWas = "as_it_was"
    """Which version of a model with an alias scores: that of the publication before the as_of, or the alias of now."""
    model_version: str | None = None
    """One version of the model for all as_ofs."""
    parallel: int = 1
    """So many as_ofs at once."""
    skip_missing: bool = False
    """As_ofs of which the source has no version left are left out."""
    fail_fast: bool = False
    """After a failure no further as_of is begun."""


@dataclass(frozen=True, slots=True)
class PlannedAsOf:
    """What a back-fill does with one as_of, and with what."""

    as_of: datetime
    action: BackfillAction
    source_version: int | None = None
    """None: the newest when the run begins, or what the run has pinned."""
    model_version: str | None = None
    """None: whatever the config names."""
    reason: str = ""
    """Why there is nothing to do, or nothing that can be done."""
    exit_code: int = 0
    """Of the publication that is there."""

    @property
    def is_work(self) -> bool:
        """Whether a run is made for it."""
        return self.action not in ("skip", "leave_out", "missing")


@dataclass(frozen=True, slots=True)
class BackfilledRun:
    """One as_of in the result of a back-fill."""

    as_of: str
    """The logical time, in UTC."""
    status: str
    """As in the result line of `score`; `planned`, `left_out`, `missing` or `not_started` where no run was made."""
    exit_code: int = 0
    """That a run of `score` would have ended with."""
    action: BackfillAction = "score"
    """What was planned."""
    run_id: str | None = None
    """Of its run, as the following ones."""
    revision: int | None = None
    """1 for the first publication of an as_of."""
    attempt: int | None = None
    """Counts the processes that worked on the revision."""
    rows_read: int | None = None
    """Rows of the source that meet the filter."""
    rows_scored: int | None = None
    """Rows with a prediction."""
    rows_rejected: int | None = None
    """Rows without one."""
    source_version: int | None = None
    """Delta version of the source."""
    model_version: str | None = None
    """Version of the model in the registry."""
    model_loads: int | None = None
    """How often a model was loaded, in all workers."""
    seconds: float | None = None
    """From its beginning to its end, with what others did meanwhile."""
    reason: str = ""
    """Why no run was made."""
    warnings: tuple[str, ...] = ()
    """Of its run."""
    error: ErrorSummary | None = None
    """Why its run failed."""

    @classmethod
    def of_plan(cls, planned: PlannedAsOf, status: str) -> "BackfilledRun":
        """An as_of for which no run is made."""
        return cls(
            to_utc_text(planned.as_of),
            status,
            planned.exit_code,
            planned.action,
            source_version=planned.source_version,
            model_version=planned.model_version,
            reason=planned.reason,
        )

    @classmethod
    def of_report(cls, report: RunReport, planned: PlannedAsOf) -> "BackfilledRun":
        """An as_of whose run has ended."""
        names = ("run_id", "revision", "attempt", "rows_read", "rows_scored", "rows_rejected", "model_loads")
        kept = {name: getattr(report, name) for name in (*names, "warnings", "error")}
        return cls(
            to_utc_text(planned.as_of),
            report.status,
            report.exit_code,
            planned.action,
            source_version=planned.source_version if report.source is None else report.source.version,
            model_version=planned.model_version if report.model is None else report.model.version,
            seconds=report.seconds.get("total"),
            **kept,
        )

    @property
    def is_made_now(self) -> bool:
        """Whether this back-fill has published it."""
        return self.status == "published"


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """The result of `backfill`: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: BackfillStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process: the most serious one of its runs."""
    first: str | None = None
    """The first as_of of the range, in UTC."""
    last: str | None = None
    """The last one."""
    every: str | None = None
    """How far they are apart."""
    source: str | None = None
    """`as_it_was`, `as_it_is`, or the version that the config names."""
    model: str | None = None
    """`as_it_was`, `as_it_is`, or the version that was asked for."""
    parallel: int = 1
    """How many as_ofs were scored at once."""
    as_ofs: int = 0
    """As_ofs of the range."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """As_ofs by the status of their run."""
    rows_read: int = 0
    """Of the runs that were made now, as the following ones."""
    rows_scored: int = 0
    """Rows with a prediction."""
    rows_rejected: int = 0
    """Rows without one."""
    model_loads: int = 0
    """How often a model was loaded, in all workers."""
    rows_per_second: float | None = None
    """Rows scored per second of the whole back-fill."""
    table: str | None = None
    """The prediction table."""
    runs: tuple[BackfilledRun, ...] = ()
    """Each as_of, in order."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the call."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """`plan` and `total`."""
    error: ErrorSummary | None = None
    """Why the call failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        errors = {run.as_of: run.error.to_dict() for run in self.runs if run.error is not None}
        told: dict[str, Any] = asdict(self)
        told["runs"] = [{**run, "error": errors.get(run["as_of"])} for run in told["runs"]]
        return to_result_json(told, self.error)


def count_statuses(runs: tuple[BackfilledRun, ...]) -> Mapping[str, int]:
    """As_ofs by the status of their run."""
    return dict(Counter(run.status for run in runs))


def most_serious_code(codes: tuple[int, ...]) -> int:
    """The exit code of a call whose runs ended with these: 75 only where nothing else failed, 5 only where all is well.

    One that is none of the suite's is the most serious.
    """
    found = [code for code in codes if code]
    return min(found, key=lambda code: _SERIOUS_FIRST.index(code) if code in _SERIOUS_FIRST else -1, default=0)
