"""One attempt of a run: its tables, clock, events and report. Pages of verbs decide the order; this keeps the book."""

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

from sparkscore.errors import MESSAGE_HIDDEN, ConfigError, SparkscoreError, redact_secrets, to_error_dict
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suites import Suite
from sparkscore.gate.verdicts import Gate
from sparkscore.pipelines.shared.notifications import notify_webhook, write_attempt_metrics
from sparkscore.pipelines.shared.report_codec import encode_run_report, model_of_pins
from sparkscore.records import Pins, RunEvent, RunReport, TableRef, Verdict, to_utc_text
from sparkscore.records import Run as RunRecord
from sparkscore.scoring.task_errors import recover_task_error as from_worker
from sparkscore.settings import Settings
from sparkscore.spark.error_translation import spark_end_error, to_sparkscore_error
from sparkscore.spark.identifiers import parse_table_ref, sibling_table
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.run_events import ensure_events_table, load_events, record_event

log = structlog.get_logger("sparkscore")


def parse_as_of(text: str | datetime) -> datetime:
    """The UTC moment of an ISO date or timestamp; without a zone it is UTC.

    Raises:  ConfigError.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"as_of {text!r}",
            "an ISO date or timestamp, UTC: 2013-12-31 or 2013-12-31T06:00:00Z",
            "let the scheduler pass its logical date",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass
class Attempt:
    """The book of one attempt. `report` grows with what is known; an error carries it to the entry point."""

    spark: SparkSession
    settings: Settings
    as_of: datetime
    target: TableRef
    source: TableRef
    report: RunReport
    verb: str = "score"
    of_run: str | None = None
    """The run that a verb other than `score` starts from."""
    run: RunRecord | None = None
    revision: int = 1
    attempt: int = 1
    began: float = field(default_factory=time.monotonic)
    verdicts: list[Verdict] = field(default_factory=list)
    seen: list[RunEvent] = field(default_factory=list)
    """The events of the as_of as they were when the attempt began."""
    exit_code: int = 0
    """Of an attempt that ends well: a broken promise about a published run is told by it."""
    prepared: bool = False
    secret: str = field(default_factory=secrets.token_hex, repr=False)
    """Signs the errors of the attempt's tasks: `scoring.task_errors`."""

    @classmethod
    def of(cls, spark: SparkSession, settings: Settings, as_of: str | datetime) -> "Attempt":
        """The book for one as_of, in a session of its own beside the caller's, with the tables' names checked.

        Raises:  NameRefused, ConfigError, UnsupportedSession.
        """
        refuse_default_home(spark, settings.home)
        moment = parse_as_of(as_of)
        target = parse_table_ref(settings.output.table, home=settings.home_uri)
        source = parse_table_ref(settings.source.table, home=settings.home_uri)
        report = RunReport(
            settings.job,
            to_utc_text(moment),
            "failed",
            table=target.path or target.name,
            source={"table": source.name, "version": None},
        )
        rows = settings.scoring.batch_rows
        own = create_run_session(spark, batch_rows=None if rows == "auto" else rows)
        return cls(own, settings, moment, target, source, report)

    @cached_property
    def suites(self) -> Mapping[Gate, Suite]:
        """The gates' suites, read once: a broken one is an error of the config, never of the data.

        Raises:  ConfigError.
        """
        gates: Mapping[Gate, str | None] = {"input": self.settings.gate.input, "output": self.settings.gate.output}
        found = {gate: load_suite(path, home=self.settings.home_uri) for gate, path in gates.items() if path}
        rejecting = found["output"].reject_expectations if "output" in found else ()
        if rejecting:
            raise ConfigError(
                f"{rejecting[0].rule} of the output gate would reject rows that are scored already",
                "the action reject in the suite of gate.input alone",
                "remove the action; severity decides what a broken rule does to the run",
            )
        return found

    @property
    def scoring_digest(self) -> str:
        """Of the settings and of the rules that reject rows."""
        suite = self.suites.get("input")
        rules = [{"type": one.type, **one.kwargs} for one in suite.reject_expectations] if suite else []
        return self.settings.scoring_digest(rules)

    @property
    def runs_table(self) -> TableRef:
        """Where the job's events are."""
        return sibling_table(self.target, "_runs")

    @property
    def so_far(self) -> Mapping[str, float]:
        """Seconds per part, and `total` until now."""
        return {**self.report.seconds, "total": round(time.monotonic() - self.began, 3)}

    def past(self) -> list[RunEvent]:
        """All events of this as_of, oldest first."""
        return load_events(self.spark, self.runs_table, job=self.settings.job, as_of=self.as_of)

    def know(self, **facts: Any) -> None:
        """Write facts into the report."""
        self.report = replace(self.report, **facts)

    def stands_on(self, pins: Pins, *, model_id: str, run_id: str) -> None:
        """Write the run and what it is pinned to into the report."""
        model = model_of_pins(pins, model_id)
        self.know(run_id=run_id, model=model, source={"table": self.source.name, "version": pins.source_version})

    def warn(self, text: str) -> None:
        """A warning for the result line and for the log."""
        log.warning(text)
        self.know(warnings=(*self.report.warnings, text))

    def judged(self, verdict: Verdict) -> None:
        """Keep a gate's verdict; its warnings become the run's."""
        self.verdicts.append(verdict)
        for rule in verdict.warning_rules:
            self.warn(f"{verdict.gate} gate, {rule.rule}: {rule.observed}; expected {rule.expected}")
        slow = [rule.rule for rule in verdict.rules if rule.slow]
        if slow:
            self.warn(f"{verdict.gate} gate, slow: {', '.join(slow)}, computed by Great Expectations' own engine")

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A timed part of the run."""
        start = time.monotonic()
        log.info("begin", part=name)
        yield
        seconds = round(time.monotonic() - start, 3)
        self.know(seconds={**self.report.seconds, name: seconds})
        log.info("done", part=name, seconds=seconds)

    def begin(self, run: RunRecord, *, closes: RunEvent | None) -> None:
        """Record that the attempt started, and that the one before it never ended."""
        if closes is not None:
            self.write(
                replace(
                    closes, event="aborted", at=datetime.now(UTC), message="never ended; closed by the next attempt"
                )
            )
        self.event("started")

    def concluded(self, found: Mapping[str, Any]) -> None:
        """Record what monitoring has found about the published run, and tell those who are to be told."""
        self.event("monitored", exit_code=self.exit_code, told={**found, "alerts": self._alerted()})

    def event(self, kind: str, *, told: Mapping[str, Any] = MappingProxyType({}), **values: Any) -> None:
        """Record one event of this attempt; `told` is what it tells beside the columns."""
        run = self.run
        known: dict[str, Any] = {}
        if run is not None:
            known = {
                "run_id": run.run_id,
                "pins": run.pins,
                "source_table": run.source_table,
                "model_id": run.model_id,
            }
        details = {
            "verb": self.verb,
            "of_run": self.of_run,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "cores": self.spark.sparkContext.defaultParallelism,
            **told,
        }
        base = RunEvent(self.settings.job, self.as_of, self.revision, self.attempt, kind, datetime.now(UTC), **known)  # type: ignore[arg-type]
        self.write(replace(encode_run_report(self.report, base, details=details), **values))

    def write(self, event: RunEvent) -> None:
        """Append one event, of whichever attempt."""
        if not self.prepared:
            ensure_events_table(self.spark, self.runs_table, job=self.settings.job)
            self.prepared = True
        record_event(self.spark, self.runs_table, event)

    def ended(self, status: str, **facts: Any) -> RunReport:
        """The report of an attempt that ended well."""
        dry = status == "dry_run"
        self.know(status=status, exit_code=0 if dry else self.exit_code, seconds=self.so_far, **facts)
        if not dry:
            self._measure()
        return self.report

    @contextmanager
    def guarded(self, *, records: bool = True) -> Iterator[None]:
        """Every failure inside becomes one of the suite's own errors, carries the report, is recorded as an event."""
        try:
            yield
        except Exception as error:
            known = (
                error
                if isinstance(error, SparkscoreError)
                else spark_end_error(self.spark, "the job was running")
                or from_worker(error, self.secret)
                or to_sparkscore_error(error, "running the job")
            )
            if known is None and self.settings.source.sensitive:
                known = SparkscoreError(type(error).__name__, do=MESSAGE_HIDDEN)
            code = known.exit_code if known else SparkscoreError.exit_code
            self._failed(known or error, code, records=records)
            if known is None or (known is error and not self.settings.source.sensitive):
                raise
            # what it was made of shows with --debug, but not where that may hold values of sensitive columns
            raise known from (None if self.settings.source.sensitive else error)

    def _failed(self, error: Exception, code: int, *, records: bool) -> None:
        told = to_error_dict(error)
        self.know(status="failed", exit_code=code, error=told, seconds=self.so_far)
        if isinstance(error, SparkscoreError):
            error.report = self.report
        if not records:
            return
        alerts = self._alerted()
        if self.run is not None:
            try:
                facts_of = {"exit_code": code, "error": told["class"], "message": told["message"]}
                self.event("failed", told={"alerts": alerts}, **facts_of)
            except Exception as second:  # noqa: BLE001  the first failure is the one to report
                log.warning(
                    "the failure could not be recorded in the run events", error=redact_secrets(str(second))[:300]
                )
        self._measure()

    def _alerted(self) -> tuple[str, ...]:
        """Tell the webhook what no earlier attempt of the as_of has told it; the keys of what it has taken."""
        url = self.settings.monitor.webhook
        return notify_webhook(self.report, url.get_secret_value() if url else None, past=self.seen)

    def _measure(self) -> None:
        """Write the attempt's metrics, where the config names a folder for them; a failure is a warning."""
        folder = self.settings.monitor.metrics
        if folder is not None:
            cores = self.spark.sparkContext.defaultParallelism
            write_attempt_metrics(self.report, self.verdicts, folder, cores=cores)


def refuse_default_home(spark: SparkSession, home: str) -> None:
    """Refuse the default home on a cluster: a relative path, and executors would not see the driver's working folder.

    Raises:  ConfigError.
    """
    master = str(spark.sparkContext.master)
    if not master.startswith("local") and home == Settings.model_fields["home"].default:
        raise ConfigError(
            f"the default home {home} with the master {master}",
            "a home that the driver and all executors see",
            "set home: or SPARKSCORE_HOME to an absolute path or a URI, for example s3a://bucket/sparkscore",
        )
