"""What is done for those who watch, once readers see a run: profiles, drift, SLA, page, MLflow. Fails no run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sparkscore.errors import MONITORING_BREACH, SparkscoreError, redact_secrets
from sparkscore.monitor.mlflow_run import log_run
from sparkscore.monitor.report.drawing import require_report_extra
from sparkscore.pipelines.monitoring.run_drift import DriftComparison, compare_run_profiles
from sparkscore.pipelines.monitoring.run_profiles import profile_run
from sparkscore.pipelines.monitoring.sla_settings import load_sla_rules
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import monitored_event
from sparkscore.pipelines.shared.run_pages import collect_run_page, write_run_page
from sparkscore.records import ColumnProfile, Drift, RunEvent, SlaRule, Stage
from sparkscore.settings import Settings
from sparkscore.spark.background_job import run_in_background
from sparkscore.store.monitoring_tables import keep_drifts, keep_profiles
from sparkscore.store.run_events import load_events

_WORST, _TOLD = 20, 3


def monitor_run(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> None:
    """Everything after the publication; what it found goes into the report and into the event `monitored_event`.

    What reads and writes small tables runs beside the rest: each is most of a second of Spark's and Delta's own work.

    Jobs:    two that read columns, three small ones that write; none where the config asks for nothing.
    """
    if not _is_monitoring_requested(attempt.settings):
        return
    spark, job = attempt.spark, attempt.settings.job
    with run_in_background(spark, lambda: load_events(attempt.runs_table, job=job)) as reading:
        profiles = _profile_published_run(attempt, plan, stage, rows_read)
        past = reading.result()
    found = _compare_published_run(attempt, plan, profiles, past) if profiles else DriftComparison()
    rules = judge_sla(attempt, past)
    table = attempt.target.sibling("_drift")
    with _write_in_background(attempt, "drift", lambda: keep_drifts(table, plan.run, found.drifts)):
        _judge_drift(attempt, found.drifts)
        if attempt.settings.monitor.report:
            with attempt.part("report"), _warn_on_failure(attempt, "report"):
                require_report_extra()
                page = collect_run_page(attempt, profiles, found, rules, past)
                attempt.know(report=write_run_page(spark, attempt.settings, page))
    if attempt.settings.monitor.mlflow:
        with attempt.part("mlflow"), _warn_on_failure(attempt, "MLflow run"):
            log_run(
                attempt.report,
                plan.run,
                found.drifts,
                tracking_uri=attempt.settings.tracking_uri,
                home=attempt.settings.home_uri,
            )
    attempt.concluded(_monitored_details(attempt, found.drifts, rules))


def _profile_published_run(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> tuple[ColumnProfile, ...]:
    found: tuple[ColumnProfile, ...] = ()
    if attempt.settings.profile.rows != "none":
        with attempt.part("profile"), _warn_on_failure(attempt, "profile", binding=attempt.settings.drift.fail):
            found = profile_run(attempt, plan, stage, rows_read=rows_read)
    return found


def _compare_published_run(
    attempt: Attempt, plan: Plan, profiles: Sequence[ColumnProfile], past: Sequence[RunEvent]
) -> DriftComparison:
    found, table = DriftComparison(), attempt.target.sibling("_profile")
    with (
        attempt.part("drift"),
        _write_in_background(attempt, "profile", lambda: keep_profiles(table, plan.run, profiles)),
        _warn_on_failure(attempt, "drift", binding=attempt.settings.drift.fail),
    ):
        found = compare_run_profiles(attempt, plan, profiles, past)
        if found.unmet is not None:
            raise found.unmet
    return found


@contextmanager
def _write_in_background(attempt: Attempt, what: str, work: Callable[[], None]) -> Iterator[None]:
    """A block beside which a table is written; that it could not be is a warning when the block ends."""
    with run_in_background(attempt.spark, work) as job:
        yield
        with _warn_on_failure(attempt, what, binding=attempt.settings.drift.fail):
            job.result()


def is_monitoring_missing(attempt: Attempt, shown: RunEvent) -> bool:
    """Whether the config asks for monitoring that a publication of `score` or of rejects has not had."""
    return (
        _is_monitoring_requested(attempt.settings)
        and shown.verb != "rollback"
        and monitored_event(attempt, shown) is None
    )


def judge_sla(attempt: Attempt, past: Sequence[RunEvent]) -> tuple[SlaRule, ...]:
    """The rules of the config for the as_of of an attempt that is published."""
    mine = [event for event in past if event.as_of == attempt.as_of]
    rules = load_sla_rules(attempt.source, attempt.settings, mine)
    broken = [rule for rule in rules if not rule.kept]
    for rule in broken:
        attempt.warn(f"SLA, {rule.rule}: {rule.observed}; expected {rule.expected}")
    attempt.know(sla_broken=tuple(rule.rule for rule in broken))
    if broken and attempt.settings.sla.fail:
        attempt.exit_code = MONITORING_BREACH
    return rules


def _is_monitoring_requested(settings: Settings) -> bool:
    watch = settings.monitor
    return settings.profile.rows != "none" or settings.sla.promised or watch.report or watch.mlflow


def _judge_drift(attempt: Attempt, found: Sequence[Drift]) -> None:
    drifted = {(one.log_type, one.column) for one in found if one.drifted}
    attempt.know(drifted=len(drifted) if found else None)
    for against in dict.fromkeys(one.against for one in found):
        far = [one for one in found if one.against == against and one.drifted and one.slice_key is None]
        if far:
            told = ", ".join(f"{one.column} ({one.note})" for one in far[:_TOLD])
            more = f", and {len(far) - _TOLD} more" if len(far) > _TOLD else ""
            attempt.warn(f"drift against {against}: {told}{more}")
    if drifted and attempt.settings.drift.fail:
        attempt.exit_code = MONITORING_BREACH


def _monitored_details(attempt: Attempt, found: Sequence[Drift], rules: Sequence[SlaRule]) -> dict[str, Any]:
    drifted = [one for one in found if one.drifted][:_WORST]
    return {
        "drifted": attempt.report.drifted,
        "drift": [
            {name: getattr(one, name) for name in ("column", "log_type", "slice_key", "slice_value", "against", "note")}
            for one in drifted
        ],
        "sla": [asdict(rule) for rule in rules],
        "report": attempt.report.report,
    }


@contextmanager
def _warn_on_failure(attempt: Attempt, what: str, *, binding: bool = False) -> Iterator[None]:
    """A block whose failure is a warning: readers see the run already. With `binding` it counts as a broken promise."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, readers see the run
        sensitive = bool(attempt.settings.source.sensitive) and not isinstance(error, SparkscoreError)
        told = type(error).__name__ if sensitive else redact_secrets(str(error).partition("\n")[0])[:300]
        attempt.warn(f"no {what}: {told}")
        if binding:
            attempt.exit_code = MONITORING_BREACH
