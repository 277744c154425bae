"""Monitors a published run: profiles, drift, SLA, report, MLflow. Fails no run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from sparkscore.errors import MONITORING_BREACH, ScanUnsupported, SparkscoreError
from sparkscore.model.registry.mlflow_client import call_mlflow_in_time
from sparkscore.monitor.mlflow_run import log_run
from sparkscore.pipelines.monitoring.run_drift import DriftComparison, compare_run_profiles
from sparkscore.pipelines.monitoring.run_profiles import profile_run
from sparkscore.pipelines.monitoring.sla_settings import load_sla_rules
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import monitored_event
from sparkscore.pipelines.shared.run_pages import collect_run_page, run_page_path, write_run_page
from sparkscore.records import ColumnProfile, Drift, Run, RunEvent, SlaRule, Stage
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings import Settings
from sparkscore.spark.background_job import BackgroundJob, JobResult, run_in_background
from sparkscore.store.monitoring_tables import keep_drifts, keep_profiles

_WORST, _TOLD = 20, 3
_PAGE_S, _MLFLOW_S = 30.0, 60.0
"""How long a published run may be held by the storage of its page, and by MLflow."""


@dataclass(frozen=True, slots=True)
class RunFindings:
    """What monitoring found about a published run."""

    profiles: tuple[ColumnProfile, ...]
    comparison: DriftComparison
    rules: tuple[SlaRule, ...]
    events: JobEvents


def monitor_run(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> None:
    """Everything after the publication; the findings go into the report and into the event `monitored`.

    First what decides the exit code, and its event: a retry gets the same code. The page and the MLflow run come last;
    whoever ends the attempt before them loses them alone.

    Jobs:    two that read columns, where no task has profiled them, three small ones where only Spark writes the
             tables; none if the config asks for no monitoring.
    """
    if not is_monitoring_requested(attempt.settings):
        return
    findings = _judge_published_run(attempt, plan, stage, rows_read)
    path = run_page_path(attempt.settings, plan.run.run_id) if attempt.settings.monitor.report else None
    attempt.record_monitoring(_monitored_details(attempt, findings, path))
    if path is not None:
        _write_page_in_time(attempt, findings, path)
    if attempt.settings.monitor.mlflow:
        with attempt.phase("mlflow"), _warn_on_failure(attempt, "MLflow run"):
            _log_run_in_time(attempt, plan.run, findings.comparison.drifts)


def _judge_published_run(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> RunFindings:
    """The tables of profiles and drift are written meanwhile, and are there when it is done."""
    job, table = attempt.settings.job, attempt.target
    with _run_beside(attempt, lambda: JobEvents.open(attempt.runs_table, job=job)) as reading:
        profiles = _profile_published_run(attempt, plan, stage, rows_read)
        events = reading.result()
    comparison = DriftComparison()
    with ExitStack() as writes:
        if profiles:
            writes.enter_context(attempt.phase("drift"))
            work = partial(keep_profiles, table.sibling("_profile"), plan.run, profiles)
            writes.enter_context(_write_in_background(attempt, "profile", work))
            comparison = _compare_published_run(attempt, plan, profiles, events)
            work = partial(keep_drifts, table.sibling("_drift"), plan.run, comparison.drifts)
            writes.enter_context(_write_in_background(attempt, "drift", work))
        _judge_drift(attempt, comparison.drifts)
        rules = judge_sla(attempt, events)
    return RunFindings(profiles, comparison, rules, events)


def _write_page_in_time(attempt: Attempt, findings: RunFindings, path: str) -> None:
    """Write the page of the run, and wait for it for a limited time. It changes nothing but the result's `report`."""
    with attempt.phase("report"), _warn_on_failure(attempt, "report"):
        work = partial(_write_page, attempt, findings)
        BackgroundJob(attempt.spark, work, starts_jobs=_is_only_for_spark(attempt)).result(seconds=_PAGE_S)
        attempt.report = replace(attempt.report, report=path)


def _write_page(attempt: Attempt, found: RunFindings) -> None:
    page = collect_run_page(attempt, found.profiles, found.comparison, found.rules, found.events)
    write_run_page(attempt.spark, attempt.settings, page)


def _run_beside(attempt: Attempt, work: Callable[[], JobResult]) -> AbstractContextManager[BackgroundJob[JobResult]]:
    """A block during which small tables are read or written; where only Spark reaches them, each takes a second."""
    return run_in_background(attempt.spark, work, starts_jobs=_is_only_for_spark(attempt))


def _is_only_for_spark(attempt: Attempt) -> bool:
    try:
        _ = attempt.target.location
    except ScanUnsupported:
        return True
    return False


def _log_run_in_time(attempt: Attempt, run: Run, drifts: Sequence[Drift]) -> None:
    settings = attempt.settings
    call = partial(log_run, attempt.report, run, drifts, tracking_uri=settings.tracking_uri, home=settings.home_uri)
    call_mlflow_in_time(call, seconds=_MLFLOW_S)


def _profile_published_run(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> tuple[ColumnProfile, ...]:
    profiles: tuple[ColumnProfile, ...] = ()
    if attempt.settings.profile.rows != "none":
        with attempt.phase("profile"), _warn_on_failure(attempt, "profile", binding=attempt.settings.drift.fail):
            profiles = profile_run(attempt, plan, stage, rows_read=rows_read)
    return profiles


def _compare_published_run(
    attempt: Attempt, plan: Plan, profiles: Sequence[ColumnProfile], events: JobEvents
) -> DriftComparison:
    comparison = DriftComparison()
    with _warn_on_failure(attempt, "drift", binding=attempt.settings.drift.fail):
        comparison = compare_run_profiles(attempt, plan, profiles, events)
        if comparison.baseline_error is not None:
            raise comparison.baseline_error
    return comparison


@contextmanager
def _write_in_background(attempt: Attempt, what: str, work: Callable[[], None]) -> Iterator[None]:
    """A block during which a table is written; a failure is a warning when the block ends."""
    with _run_beside(attempt, work) as job:
        yield
        with _warn_on_failure(attempt, what, binding=attempt.settings.drift.fail):
            job.result()


def is_monitoring_missing(attempt: Attempt, publication: RunEvent) -> bool:
    """Whether the config asks for monitoring that a publication of `score` or of rejects has not had."""
    return (
        is_monitoring_requested(attempt.settings)
        and publication.verb != "rollback"
        and publication.rows_read != 0  # an increment of deleted keys alone
        and monitored_event(attempt, publication) is None
    )


def judge_sla(attempt: Attempt, events: JobEvents) -> tuple[SlaRule, ...]:
    """The rules of the config for the as_of of an attempt that is published."""
    own_events = events.load_as_ofs((attempt.as_of,)) if attempt.settings.sla.has_rules else []
    rules = load_sla_rules(attempt.source, attempt.settings, own_events)
    report_sla_rules(attempt, rules)
    return rules


def report_sla_rules(attempt: Attempt, rules: Sequence[SlaRule]) -> None:
    """Set the broken rules in the report, with a warning for each; with `sla.fail` they decide the exit code."""
    broken = [rule for rule in rules if not rule.kept]
    for rule in broken:
        attempt.warn(f"SLA, {rule.rule}: {rule.observed}; expected {rule.expected}")
    attempt.report = replace(attempt.report, sla_broken=tuple(rule.rule for rule in broken))
    if broken and attempt.settings.sla.fail:
        attempt.exit_code = MONITORING_BREACH


def is_monitoring_requested(settings: Settings) -> bool:
    """Whether the config asks for anything of what is done after a publication."""
    watch = settings.monitor
    return settings.profile.rows != "none" or settings.sla.has_rules or watch.report or watch.mlflow


def _judge_drift(attempt: Attempt, drifts: Sequence[Drift]) -> None:
    drifted = {(drift.log_type, drift.column) for drift in drifts if drift.drifted}
    attempt.report = replace(attempt.report, drifted=len(drifted) if drifts else None)
    for against in dict.fromkeys(drift.against for drift in drifts):
        far = [drift for drift in drifts if drift.against == against and drift.drifted and drift.slice_key is None]
        if far:
            described = ", ".join(f"{drift.column} ({drift.note})" for drift in far[:_TOLD])
            more = f", and {len(far) - _TOLD} more" if len(far) > _TOLD else ""
            attempt.warn(f"drift against {against}: {described}{more}")
    if drifted and attempt.settings.drift.fail:
        attempt.exit_code = MONITORING_BREACH


def _monitored_details(attempt: Attempt, findings: RunFindings, report: str | None) -> dict[str, Any]:
    drifted = [drift for drift in findings.comparison.drifts if drift.drifted][:_WORST]
    return {
        "drifted": attempt.report.drifted,
        "drift": [
            {
                name: getattr(drift, name)
                for name in ("column", "log_type", "slice_key", "slice_value", "against", "note")
            }
            for drift in drifted
        ],
        "sla": [asdict(rule) for rule in findings.rules],
        "report": report,
    }


@contextmanager
def _warn_on_failure(attempt: Attempt, what: str, *, binding: bool = False) -> Iterator[None]:
    """A block whose failure is a warning: the run is already published. With `binding` it counts as a broken rule."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, readers see the run
        sensitive = bool(attempt.settings.source.sensitive) and not isinstance(error, SparkscoreError)
        reason = type(error).__name__ if sensitive else shorten_redacted(str(error).partition("\n")[0], 300)
        attempt.warn(f"no {what}: {reason}")
        if binding:
            attempt.exit_code = MONITORING_BREACH
