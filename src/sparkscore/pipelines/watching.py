"""What is done for those who watch, once readers see a run: profiles, drift, SLA, page, MLflow. Fails no run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sparkscore.errors import PROMISE_BROKEN, SparkscoreError, redacted
from sparkscore.monitor.tracking import log_run
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.comparing import Compared, compared
from sparkscore.pipelines.pages import keep_page, page_of
from sparkscore.pipelines.past import monitored
from sparkscore.pipelines.pinning import Plan
from sparkscore.pipelines.profiling import profiled
from sparkscore.pipelines.promises import rules_of
from sparkscore.records import ColumnProfile, Drift, RunEvent, SlaRule, Stage
from sparkscore.scoring.background import background
from sparkscore.settings import Settings
from sparkscore.store.events import events
from sparkscore.store.monitored import keep_drifts, keep_profiles
from sparkscore.store.names import beside

_WORST, _TOLD = 20, 3


def watched(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> None:
    """Everything after the publication; what it found goes into the report and into the event `monitored`.

    What reads and writes small tables runs beside the rest: each is most of a second of Spark's and Delta's own work.

    Jobs:    two that read columns, three small ones that write; none where the config asks for nothing.
    """
    if not _asked(attempt.settings):
        return
    spark, job = attempt.spark, attempt.settings.job
    with background(spark, lambda: events(spark, attempt.runs_table, job=job)) as reading:
        profiles = _profiled(attempt, plan, stage, rows_read)
        past = reading.result()
    found = _compared(attempt, plan, profiles, past) if profiles else Compared()
    rules = judge_sla(attempt, past)
    table = beside(attempt.target, "_drift")
    with _kept(attempt, "drift", lambda: keep_drifts(spark, table, plan.run, found.drifts)):
        _judge_drift(attempt, found.drifts)
        if attempt.settings.monitor.report:
            with attempt.part("report"), _unharmed(attempt, "report"):
                page = page_of(attempt, profiles, found, rules, past)
                attempt.know(report=keep_page(spark, attempt.settings, page))
    if attempt.settings.monitor.mlflow:
        with attempt.part("mlflow"), _unharmed(attempt, "MLflow run"):
            log_run(
                attempt.report,
                plan.run,
                found.drifts,
                tracking_uri=attempt.settings.tracking_uri,
                home=attempt.settings.home_uri,
            )
    attempt.concluded(_told(attempt, found.drifts, rules))


def _profiled(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> tuple[ColumnProfile, ...]:
    found: tuple[ColumnProfile, ...] = ()
    if attempt.settings.profile.rows != "none":
        with attempt.part("profile"), _unharmed(attempt, "profile", binding=attempt.settings.drift.fail):
            found = profiled(attempt, plan, stage, rows_read=rows_read)
    return found


def _compared(attempt: Attempt, plan: Plan, profiles: Sequence[ColumnProfile], past: Sequence[RunEvent]) -> Compared:
    found, spark, table = Compared(), attempt.spark, beside(attempt.target, "_profile")
    with (
        attempt.part("drift"),
        _kept(attempt, "profile", lambda: keep_profiles(spark, table, plan.run, profiles)),
        _unharmed(attempt, "drift", binding=attempt.settings.drift.fail),
    ):
        found = compared(attempt, plan, profiles, past)
        if found.unmet is not None:
            raise found.unmet
    return found


@contextmanager
def _kept(attempt: Attempt, what: str, work: Callable[[], None]) -> Iterator[None]:
    """A block beside which a table is written; that it could not be is a warning when the block ends."""
    with background(attempt.spark, work) as job:
        yield
        with _unharmed(attempt, what, binding=attempt.settings.drift.fail):
            job.result()


def missing(attempt: Attempt, shown: RunEvent) -> bool:
    """Whether the config asks for monitoring that a publication of `score` or of rejects has not had."""
    return _asked(attempt.settings) and shown.verb != "rollback" and monitored(attempt, shown) is None


def judge_sla(attempt: Attempt, past: Sequence[RunEvent]) -> tuple[SlaRule, ...]:
    """The rules of the config for the as_of of an attempt that is published."""
    mine = [event for event in past if event.as_of == attempt.as_of]
    rules = rules_of(attempt.spark, attempt.settings, mine)
    broken = [rule for rule in rules if not rule.kept]
    for rule in broken:
        attempt.warn(f"SLA, {rule.rule}: {rule.observed}; expected {rule.expected}")
    attempt.know(sla_broken=tuple(rule.rule for rule in broken))
    if broken and attempt.settings.sla.fail:
        attempt.exit_code = PROMISE_BROKEN
    return rules


def _asked(settings: Settings) -> bool:
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
        attempt.exit_code = PROMISE_BROKEN


def _told(attempt: Attempt, found: Sequence[Drift], rules: Sequence[SlaRule]) -> dict[str, Any]:
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
def _unharmed(attempt: Attempt, what: str, *, binding: bool = False) -> Iterator[None]:
    """A block whose failure is a warning: readers see the run already. With `binding` it counts as a broken promise."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, readers see the run
        sensitive = bool(attempt.settings.source.sensitive) and not isinstance(error, SparkscoreError)
        told = type(error).__name__ if sensitive else redacted(str(error).partition("\n")[0])[:300]
        attempt.warn(f"no {what}: {told}")
        if binding:
            attempt.exit_code = PROMISE_BROKEN
