"""What a stream has done so far: the result line, the metrics, and a line for people after each micro-batch."""

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from sparkscore.errors import ErrorSummary, SparkscoreError
from sparkscore.monitor.stream_metrics import write_stream_metrics
from sparkscore.records import MicroBatch, ReportedSource, RunReport, SourceLag, StreamReport, StreamStatus, to_utc_text
from sparkscore.redaction.secret_patterns import shorten_redacted

log = structlog.get_logger("sparkscore")

_MOST_WARNINGS, _MOST_QUARANTINED = 20, 20


@dataclass(slots=True)
class StreamTally:
    """Counts micro-batches. Grows with none of them."""

    report: StreamReport
    metrics: str | None = None
    """The folder of the metrics file."""
    _started: float = field(default_factory=time.monotonic)
    _worked_s: float = 0.0
    _slowest_s: float = 0.0
    _last_s: float | None = None
    _models: Counter[str] = field(default_factory=Counter)

    def count_batch(self, batch: MicroBatch, run: RunReport, *, seconds: float, lag: SourceLag | None) -> None:
        """Count a micro-batch that ended well."""
        before, status = self.report, run.status
        is_published = status == "published"
        if run.model is not None and is_published:
            self._models[run.model.version] += 1
        self._time(seconds)
        is_scored = status in ("published", "already_published")
        self.report = replace(
            before,
            batches=before.batches + is_published,
            batches_empty=before.batches_empty + (status == "nothing_to_score"),
            batches_repeated=before.batches_repeated + (status in ("already_published", "superseded")),
            rows_read=before.rows_read + (run.rows_read or 0) * is_published,
            rows_scored=before.rows_scored + (run.rows_scored or 0) * is_published,
            rows_rejected=before.rows_rejected + (run.rows_rejected or 0) * is_published,
            model=run.model or before.model,
            models=dict(self._models),
            model_loads=before.model_loads + (run.model_loads or 0),
            last_run_id=run.run_id if is_scored else before.last_run_id,
            drifted=before.drifted if run.drifted is None else run.drifted,
            report=run.report or before.report,
        )
        self._note_batch(batch, lag)
        self.add_warnings(run.warnings)
        self._tell(batch, run, seconds)

    def count_quarantined(
        self, batch: MicroBatch, error: SparkscoreError, *, seconds: float, lag: SourceLag | None
    ) -> None:
        """Count a micro-batch that a gate refused."""
        self._time(seconds)
        as_of = to_utc_text(batch.as_of)
        self.report = replace(
            self.report,
            batches_quarantined=self.report.batches_quarantined + 1,
            quarantined=(*self.report.quarantined, as_of)[-_MOST_QUARANTINED:],
        )
        self._note_batch(batch, lag)
        found = shorten_redacted(error.found, 200)
        self.add_warnings([f"micro-batch {batch.number} (as_of {as_of}) is quarantined: {found}"])
        log.warning("quarantined", batch=batch.number, as_of=as_of, found=found)
        self.write_metrics(is_running=True)

    def note_lag(self, lag: SourceLag | None) -> None:
        """Set how far the stream is behind, and tell it, while it waits for a micro-batch."""
        if lag is not None:
            self.report = replace(self.report, lag_behind=lag.behind, lag_seconds=lag.seconds)
        self.write_metrics(is_running=True)

    def add_warnings(self, texts: tuple[str, ...] | list[str]) -> None:
        """Add warnings to the result, each text once, and not more than a reader reads."""
        new = [text for text in texts if text not in self.report.warnings]
        self.report = replace(self.report, warnings=(*self.report.warnings, *new)[:_MOST_WARNINGS])

    def finish(self, status: StreamStatus, *, exit_code: int = 0, error: BaseException | None = None) -> StreamReport:
        """The result of the stream."""
        summary = None if error is None else ErrorSummary.from_error(error)
        self.report = replace(self.report, status=status, exit_code=exit_code, error=summary, seconds=self._seconds())
        self.write_metrics(is_running=False)
        return self.report

    def write_metrics(self, *, is_running: bool) -> None:
        """Write the metrics where the config names a folder; a failure is a line in the log."""
        if self.metrics is None:
            return
        try:
            write_stream_metrics(
                self.report, self.metrics, at=datetime.now(UTC), batch_seconds=self._last_s, is_running=is_running
            )
        except OSError as error:
            log.warning("metrics not written", folder=self.metrics, error=shorten_redacted(str(error), 300))

    def _note_batch(self, batch: MicroBatch, lag: SourceLag | None) -> None:
        as_of, before = to_utc_text(batch.as_of), self.report
        self.report = replace(
            before,
            first_batch=batch.number if before.first_batch is None else before.first_batch,
            last_batch=batch.number,
            first_as_of=before.first_as_of or as_of,
            last_as_of=as_of,
            lag_behind=None if lag is None else lag.behind,
            lag_seconds=None if lag is None else lag.seconds,
            rows_per_second=round(before.rows_scored / self._worked_s) if self._worked_s else None,
            seconds=self._seconds(),
        )

    def note_source_version(self, version: int | None) -> None:
        """Set the newest version of the source that is published in full."""
        source = self.report.source
        if source is not None and version is not None:
            self.report = replace(self.report, source=ReportedSource(source.table, version, source.format))

    def note_monitoring(self, run: RunReport) -> None:
        """Set what the monitoring of the last micro-batch found."""
        self.report = replace(self.report, drifted=run.drifted, report=run.report)

    def _time(self, seconds: float) -> None:
        self._worked_s, self._last_s = self._worked_s + seconds, seconds
        self._slowest_s = max(self._slowest_s, seconds)

    def _seconds(self) -> dict[str, float]:
        total = time.monotonic() - self._started
        named = {"batches": self._worked_s, "slowest_batch": self._slowest_s, "total": total}
        return {name: round(seconds, 3) for name, seconds in named.items()}

    def _tell(self, batch: MicroBatch, run: RunReport, seconds: float) -> None:
        rows = run.rows_scored or 0
        log.info(
            "micro-batch",
            number=batch.number,
            as_of=to_utc_text(batch.as_of),
            status=run.status,
            rows=rows,
            rejected=run.rows_rejected or 0,
            rows_per_second=round(rows / seconds) if seconds else 0,
            seconds=round(seconds, 2),
            model_version=None if run.model is None else run.model.version,
            behind=self.report.lag_behind,
            lag_seconds=self.report.lag_seconds,
        )
        self.write_metrics(is_running=True)
