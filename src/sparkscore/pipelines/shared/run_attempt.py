"""One attempt of a run: its tables, clock, events and report. The verb decides in which order they change."""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import MESSAGE_HIDDEN, ConfigError, ErrorSummary, SparkNeeded, SparkscoreError
from sparkscore.gate.suite_compilation import Gate
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suite_measuring import SuiteMeasuring
from sparkscore.gate.suites import Suite
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.lineage_reporter import LineageReporter
from sparkscore.pipelines.shared.notifications import notify_webhook, write_attempt_metrics
from sparkscore.pipelines.shared.report_codec import REMOVED_ROWS, encode_run_report, model_of_pins
from sparkscore.pipelines.shared.source_tables import describe_landing, open_source_table
from sparkscore.pipelines.shared.timed_work import TimedWork
from sparkscore.records import (
    BatchLimits,
    EventKind,
    ExportedRun,
    LandedChanges,
    LandedRows,
    Pins,
    Postprocessing,
    ReportedSource,
    RunEvent,
    RunReport,
    RunStatus,
    TableRef,
    Verdict,
    parse_as_of,
    to_utc_text,
)
from sparkscore.records import Run as RunRecord
from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.redaction.secret_patterns import redact_secrets, shorten_redacted
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.settings import Settings
from sparkscore.spark.error_translation import spark_end_error, to_sparkscore_error
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.run_events import ensure_events_table, load_events, record_events
from sparkscore.store.table import Table
from sparkscore.store.table_growth import list_former_jobs

log = structlog.get_logger("sparkscore")

PACED_AS_OFS = 50
"""What earlier runs have found is looked for in the events of so many newest as_ofs."""


@dataclass(frozen=True, slots=True)
class StandbyModel:
    """The model of an earlier run, for one that may not wait for its registry."""

    pins: Pins
    """Of that run."""
    asks_registry: bool = True
    """Whether the registry is asked first."""


def _open_session(spark: SparkSession, settings: Settings) -> SparkSession:
    refuse_default_home(spark, settings.home)
    limits = settings.scoring.batch_limits
    return create_run_session(spark, batch_rows=limits.rows, batch_bytes=limits.bytes)


@dataclass
class Attempt(TimedWork[RunReport]):
    """One attempt. `report` is replaced as values become known; an error carries it to the entry point."""

    session: SparkSession | None
    settings: Settings
    as_of: datetime
    target: Table
    source: Table
    report: RunReport
    verb: str = "score"
    origin_run_id: str | None = None
    """The run that a verb other than `score` starts from."""
    run: RunRecord | None = None
    revision: int = 1
    attempt: int = 1
    started: float = field(default_factory=time.monotonic)
    verdicts: list[Verdict] = field(default_factory=list)
    earlier_events: list[RunEvent] = field(default_factory=list)
    """The events of the as_of when the attempt started."""
    held_events: list[RunEvent] = field(default_factory=list)
    """Those that go into the next commit of events."""
    exit_code: int = 0
    """Of an attempt that ends without an error: 5 where monitoring found drift or a broken SLA rule."""
    has_events_table: bool = False
    stage_stores: dict[str, StageStore] = field(default_factory=dict)
    measurings: dict[Gate, SuiteMeasuring] = field(default_factory=dict)
    """The compiled suites of the gates, and what of them tasks measure."""
    runtime: str | None = None
    """What executes the model."""
    batches: BatchLimits | None = None
    """How large its batches may be, by the settings and by what an earlier run has found; None: by the settings."""
    landed: LandedRows | None = None
    """What the attempt reads of a source without versions."""
    lineage: LineageReporter | None = None
    """Tells lineage what is recorded; None where the config asks for none."""
    is_full: bool = False
    """All rows of the source are scored, although the config reads changes."""
    changes: LandedChanges | None = None
    """What has changed in the source; None where all rows are scored, or nothing has changed."""
    tables: dict[TableRef, Table] = field(default_factory=dict)
    """Those that the run reads beside the source, opened once."""
    standby: StandbyModel | None = None
    """The model to score with where the registry does not answer."""
    used_standby: bool = False
    """It was, and the registry had been asked."""
    process_timeout: float | None = None
    """Its model runs in processes of its own, and neither loads nor predicts a batch for longer: a challenger's."""
    secret: str = field(default_factory=secrets.token_hex, repr=False)
    """Signs the errors of the attempt's tasks: `scoring.task_errors`."""

    @classmethod
    def open(cls, spark: SparkSession | None, settings: Settings, as_of: str | datetime) -> "Attempt":
        """An attempt for one as_of, in a session of its own, with the tables' names checked. Nothing is written.

        Without a session, which would be a local one, it can find out what there is to do, and nothing else.

        Raises:  NameRefused, ConfigError, UnsupportedSession.
        """
        moment = parse_as_of(as_of)
        own = None if spark is None else _open_session(spark, settings)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        source = open_source_table(own, settings, moment)
        report = RunReport(
            settings.job,
            to_utc_text(moment),
            "failed",
            table=target.path or target.name,
            source=ReportedSource(source.name, format=settings.source.format),
        )
        lineage = LineageReporter.open(settings, own, source=source, target=target)
        return cls(own, settings, moment, target, source, report, lineage=lineage)

    @property
    def spark(self) -> SparkSession:
        """The session.

        Raises:  SparkNeeded where there is none.
        """
        if self.session is None:
            raise SparkNeeded(self.settings.job)
        return self.session

    @cached_property
    def suites(self) -> Mapping[Gate, Suite]:
        """The suites of the gates, read once: an invalid suite is an error of the config, never of the data.

        Raises:  ConfigError.
        """
        gates: Mapping[Gate, str | None] = {"input": self.settings.gate.input, "output": self.settings.gate.output}
        found = {gate: load_suite(path, home=self.settings.home_uri) for gate, path in gates.items() if path}
        rejecting = found["output"].reject_expectations if "output" in found else ()
        if rejecting:
            raise ConfigError(
                f"{rejecting[0].rule} of the output gate would reject rows that are already scored",
                "the action reject only in the suite of gate.input",
                "remove the action; severity decides what a broken rule does to the run",
            )
        return found

    @property
    def scoring_digest(self) -> str:
        """The scoring digest: of the settings and of the rules that reject rows."""
        return self.settings.scoring_digest(self._rejecting_rules)

    @property
    def former_scoring_digest(self) -> str:
        """The same as older versions wrote it into a run's pins."""
        return self.settings.former_scoring_digest(self._rejecting_rules)

    @property
    def _rejecting_rules(self) -> list[dict[str, Any]]:
        suite = self.suites.get("input")
        return [{"type": one.type, **one.kwargs} for one in suite.reject_expectations] if suite else []

    def postprocessing_of(self, pins: Pins) -> Postprocessing:
        """What the settings make of the predictions of a run with these pins.

        Without the threshold where an older version pinned it: there the scoring digest holds it.
        """
        output, former = self.settings.output, pins.settings_digest != self.scoring_digest
        return Postprocessing(None if former else output.threshold, output.columns_digest)

    def require_full(self, full: bool) -> None:
        """Score all rows of the source, where the config reads changes.

        Raises:  ConfigError where it does not: the flag would do nothing.
        """
        if full and not self.settings.source.reads_changes:
            raise ConfigError(
                "--full with source.read: all", "source.read: changes", "leave it out: all rows are scored anyway"
            )
        self.is_full = full

    def open_table(self, ref: TableRef) -> Table:
        """A table that the run reads: one object, so that its log is opened once."""
        return self.source if ref == self.source.ref else self.tables.setdefault(ref, Table(self.spark, ref))

    @property
    def has_rows_to_score(self) -> bool:
        """Whether there may be any: an increment knows that it has none."""
        told = self.report.increment
        return told is None or told.since is None or bool(told.rows_changed)

    @property
    def has_deletions(self) -> bool:
        """Whether the publication says of keys that the source no longer has them, or removes their rows."""
        told = self.report.increment
        return told is not None and bool(told.rows_deleted) and told.on_delete != "keep"

    @property
    def runs_table(self) -> Table:
        """The table of the job's run events."""
        return self.target.sibling("_runs")

    def stage_store(self, run: RunRecord) -> StageStore:
        """The stage of a run: one object for the runs that share it, so that its log is opened once."""
        store = StageStore(self.spark, run, self.settings.stage_uri)
        return self.stage_stores.setdefault(run.stage_id, store)

    @cached_property
    def cores(self) -> int:
        """How many tasks the session runs at once, as it began."""
        return count_task_slots(self.spark)

    @cached_property
    def first_job(self) -> str:
        """The name that a renamed job had at first; empty where it has it still."""
        return next(iter(list_former_jobs(self.runs_table, self.target)), "")

    @cached_property
    def newest_events(self) -> list[RunEvent]:
        """The job's events of its newest as_ofs when they are first asked for, oldest first: `PACED_AS_OFS` of them."""
        return JobEvents.open(self.runs_table, job=self.settings.job).load_newest(PACED_AS_OFS)

    def load_as_of_events(self) -> list[RunEvent]:
        """All events of this as_of, oldest first."""
        return load_events(self.runs_table, job=self.settings.job, as_ofs=(self.as_of,))

    def read_micro_batch(self) -> None:
        """Read the micro-batch that a stream has landed for the as_of, in place of the source that the config names."""
        self.settings = self.settings.of_micro_batches()
        self.source = open_source_table(self.session, self.settings, self.as_of)

    def report_pins(self, pins: Pins, *, model_id: str, run_id: str) -> None:
        """Set the run and its pins in the report."""
        landed_at = None if self.landed is None else to_utc_text(self.landed.landed_at)
        source = ReportedSource(self.source.name, pins.source_version, self.settings.source.format, landed_at)
        self.report = replace(self.report, run_id=run_id, model=model_of_pins(pins, model_id), source=source)

    def report_transport(self, transport: str, reason: str) -> None:
        """Set the transport and its reason in the report, and log them."""
        self.report = replace(self.report, transport=transport, transport_reason=reason)
        log.info("transport", transport=transport, reason=reason)

    def report_workers(self, counters: Counters) -> None:
        """Set what the workers counted in the report; a model that is not deterministic is a warning."""
        self.report = replace(
            self.report,
            model_loads=counters.loads,
            executors=counters.to_dict(),
            model_counts=counters.model_counts,
        )
        if counters.task_end_errors:
            self.warn(
                f"the model's end_task failed {counters.task_end_errors:,} times: what it would have counted is missing"
                " in model_counts; the workers' logs say why"
            )
        rows, unstable = counters.repeated_rows
        if unstable:
            self.warn(
                f"the model is not deterministic: {unstable:,} of {rows:,} rows got another prediction when they were"
                " predicted again; each row is published with its first one, and no other run will give the same"
            )

    @contextmanager
    def report_workers_of_failure(self, counters: Counters) -> Iterator[None]:
        """A block that scores; where it fails, what its tasks had counted until then stands in the report: it was paid.

        A task that failed itself has told nothing.
        """
        try:
            yield
        except BaseException:
            self.report_workers(counters)
            raise

    def warn(self, text: str) -> None:
        """Add a warning to the result line and to the log."""
        shown = redact_secrets(text)
        log.warning(shown)
        self.report = replace(self.report, warnings=(*self.report.warnings, shown))

    def keep_verdict(self, verdict: Verdict) -> None:
        """Keep a gate's verdict and add its warnings to the run's."""
        self.verdicts.append(verdict)
        for rule in verdict.warning_rules:
            self.warn(f"{verdict.gate} gate, {rule.rule}: {rule.observed}; expected {rule.expected}")
        slow = [rule.rule for rule in verdict.rules if rule.slow]
        if slow:
            self.warn(f"{verdict.gate} gate, slow: {', '.join(slow)}, computed by Great Expectations' own engine")

    def record_start(self, *, closes: RunEvent | None, details: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Record that the attempt started, and that the previous one never ended."""
        if closes is not None:
            message = "never ended; closed by the next attempt"
            self.held_events.append(replace(closes, event="aborted", at=datetime.now(UTC), message=message))
        self.record_event("started", details=details)

    def record_monitoring(self, details: Mapping[str, Any]) -> None:
        """Record what monitoring has found about the published run, and send the alerts that it asks for."""
        details = {**details, "alerts": self.send_run_alerts()}
        self.append_event(replace(self._build_event("monitored", details), exit_code=self.exit_code))

    def record_export(
        self, details: Mapping[str, Any], *, rows: ExportedRun, failure: SparkscoreError | None = None
    ) -> None:
        """Record an export of a publication. Without a session, too, where the events can be written without."""
        export = {name: value for name, value in details.items() if name != "alerts"}
        event = self._build_event("exported", {"export": export, "alerts": details.get("alerts", ())})
        event = replace(event, run_id=rows.run_id, revision=rows.revision, exit_code=self.exit_code)
        if failure is not None:
            event = replace(event, error=type(failure).__name__, message=str(failure))
        record_events(self.runs_table, [event])

    def record_challenger(self, details: Mapping[str, Any], *, run: RunRecord, failure: SparkscoreError | None) -> None:
        """Record what became of a challenger of a publication."""
        event = replace(self._build_event("challenged", details), run_id=run.run_id, revision=run.revision)
        if failure is not None:
            event = replace(event, error=type(failure).__name__, message=str(failure))
        self.append_event(event)

    def record_event(
        self, kind: EventKind, *, details: Mapping[str, Any] = MappingProxyType({}), message: str | None = None
    ) -> None:
        """Record one event of this attempt; `details` are added to its JSON."""
        self.append_event(replace(self._build_event(kind, details), message=message))

    def hold_event(self, kind: EventKind) -> None:
        """Record an event of this attempt together with its next one, in one commit. Lost where the attempt dies first.

        For what other attempts find out without it: that a stage is complete, its own commits say.
        """
        self.held_events.append(self._build_event(kind))

    def record_publication(self, table_version: int | None, *, removed: Mapping[str, int]) -> None:
        """Record that the run is published. `removed`: rows of earlier runs that its commit has removed, by run_id."""
        details = {REMOVED_ROWS: dict(removed)} if removed else {}
        self.append_event(replace(self._build_event("published", details), table_version=table_version))

    def append_event(self, event: RunEvent) -> None:
        """Append one event, of whichever attempt, and those that were held."""
        self.require_session()
        if not self.has_events_table:
            ensure_events_table(self.runs_table, job=self.settings.job)
            self.has_events_table = True
        events = [*self.held_events, event]
        record_events(self.runs_table, events)
        self.held_events.clear()
        if self.lineage is not None:
            self.lineage.report(events)

    def require_session(self) -> None:
        """Go on only with a session: what comes next writes, sends, or takes time that would be lost.

        Raises:  SparkNeeded where there is none.
        """
        self.spark  # noqa: B018

    def finish(self, status: RunStatus) -> RunReport:
        """The report of an attempt that ends without an error. Metrics are written, except after a dry run."""
        dry_run = status == "dry_run"
        exit_code = 0 if dry_run else self.exit_code
        self._finish_lineage()
        self.report = replace(self.report, status=status, exit_code=exit_code, seconds=self.elapsed_seconds)
        if not dry_run:
            self._write_metrics()
        return self.report

    @contextmanager
    def record_failures(self, *, records: bool = True) -> Iterator[None]:
        """Turn every failure inside into an error of the suite that carries the report, and record it as an event."""
        try:
            yield
        except Exception as error:
            if self.session is None:  # told, recorded and sent by the attempt that comes next, with a session
                raise SparkNeeded(self.settings.job) from error
            known = (
                error
                if isinstance(error, SparkscoreError)
                else spark_end_error(self.spark, "the job was running", error)
                or recover_task_error(error, self.secret)
                or to_sparkscore_error(error, "running the job")
            )
            if known is None and self.settings.source.sensitive:
                known = SparkscoreError(type(error).__name__, do=MESSAGE_HIDDEN)
            code = known.exit_code if known else SparkscoreError.exit_code
            self._end_with_failure(known or error, code, records=records)
            redact_exception(error)
            if known is None or (known is error and not self.settings.source.sensitive):
                raise
            # what it was made of shows with --debug, but not where that may hold values of sensitive columns
            raise known from (None if self.settings.source.sensitive else error)

    def _build_event(self, kind: EventKind, details: Mapping[str, Any] = MappingProxyType({})) -> RunEvent:
        run = self.run
        event = RunEvent(self.settings.job, self.as_of, self.revision, self.attempt, kind, datetime.now(UTC))
        applied: Mapping[str, Any] = {}
        if run is not None:
            applied = run.postprocessing.to_dict()
            event = replace(
                event, run_id=run.run_id, pins=run.pins, source_table=run.source_table, model_id=run.model_id
            )
        known = {
            "verb": self.verb,
            "of_run": self.origin_run_id,
            **({"postprocessing": applied} if applied else {}),
            **self._landing_details,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "cores": None if self.session is None else self.cores,
            "runtime": self.runtime,
        }
        return encode_run_report(self.report, event, details={**known, **details})

    @property
    def _landing_details(self) -> Mapping[str, Any]:
        if not self.settings.source.is_landed:
            return {}
        return {"landing": describe_landing(self.settings, self.landed, self.source.path)}

    def _end_with_failure(self, error: Exception, code: int, *, records: bool) -> None:
        summary = ErrorSummary.from_error(error)
        self.report = replace(self.report, status="failed", exit_code=code, error=summary, seconds=self.elapsed_seconds)
        if isinstance(error, SparkscoreError):
            error.report = self.report
        if not records:
            return
        alerts = self.send_run_alerts()
        # whoever ends Spark may end this process at any moment, too: the next attempt always closes such an attempt
        if self.run is not None and spark_end_error(self.spark, "the failure was to be recorded", error) is None:
            try:
                event = self._build_event("failed", {"alerts": alerts})
                self.append_event(replace(event, exit_code=code, error=summary.class_name, message=summary.message))
            except Exception as second:  # noqa: BLE001  the first failure is the one to report
                log.warning(
                    "the failure could not be recorded in the run events", error=shorten_redacted(str(second), 300)
                )
        self._finish_lineage()
        if isinstance(error, SparkscoreError):
            error.report = self.report
        self._write_metrics()

    def _finish_lineage(self) -> None:
        """Wait for lineage events that are on their way, a limited time; those that were not sent are a warning."""
        problem = None if self.lineage is None else self.lineage.close()
        if problem is not None:
            self.warn(f"lineage events were not sent: {problem}")

    def send_run_alerts(self) -> tuple[str, ...]:
        """Send to the webhook what no earlier attempt of the as_of has sent; the keys of the alerts that it took."""
        url = self.settings.monitor.webhook
        return notify_webhook(self.report, url.get_secret_value() if url else None, earlier_events=self.earlier_events)

    def _write_metrics(self) -> None:
        """Write the attempt's metrics, where the config names a folder for them; a failure is a warning."""
        folder = self.settings.monitor.metrics
        if folder is not None:
            write_attempt_metrics(self.report, self.verdicts, folder, cores=self.cores)
