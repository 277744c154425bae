"""What a run is compared with, and how far it is from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sparkscore.errors import ConfigError
from sparkscore.ingest import snapshot as ingest
from sparkscore.model.training import training_data
from sparkscore.monitor.drift import drifts
from sparkscore.monitor.profile import merged_profiles
from sparkscore.pipelines.attempt import Attempt, parsed_as_of
from sparkscore.pipelines.pinning import Plan
from sparkscore.pipelines.profiling import of_table
from sparkscore.records import ColumnProfile, Drift, RunEvent, utc_text
from sparkscore.store.monitored import BASELINE_AS_OF, keep_baseline, profiles_of
from sparkscore.store.names import beside, table_ref
from sparkscore.store.runs import named


@dataclass(frozen=True, slots=True)
class Compared:
    """The distances of a run, and the profiles of the run before it."""

    drifts: tuple[Drift, ...]
    last: tuple[ColumnProfile, ...]


def compared(attempt: Attempt, plan: Plan, now: Sequence[ColumnProfile], events: Sequence[RunEvent]) -> Compared:
    """The run's profiles against those of the run before, in as_of, and against the baseline of the config.

    Needs:   all `events` of the job.
    Jobs:    one small one; two that read the training data where it was not profiled yet.
    Raises:  ConfigError, ModelNotFound where there is no baseline to be found.
    """
    shown = {event.as_of: event for event in events if event.event == "published" and event.run_id is not None}
    before = [event for as_of, event in sorted(shown.items()) if as_of < attempt.as_of][-1:]
    wanted = _baseline_runs(attempt, plan, list(shown.values()))
    runs = {str(event.run_id): event.as_of for event in [*before, *wanted.events]}
    runs |= {wanted.name: BASELINE_AS_OF} if wanted.name else {}
    known = profiles_of(attempt.spark, beside(attempt.target, "_profile"), job=attempt.settings.job, runs=runs)
    last = known.get(str(before[0].run_id), ()) if before else ()
    limits, found = attempt.settings.drift, list[Drift]()
    if last:
        against = f"run {str(before[0].run_id)[:12]} of {utc_text(before[0].as_of)}"
        found += drifts(now, last, drift_type="CONSECUTIVE", against=against, limits=limits)
    if attempt.settings.drift.baseline is not None:
        if wanted.name:
            reference = known.get(wanted.name) or _trained_on(attempt, plan, wanted.name)
        else:
            reference = merged_profiles([known[str(one.run_id)] for one in wanted.events if one.run_id in known])
        found += _of_baseline(attempt, now, reference, wanted.words)
    return Compared(tuple(found), last)


@dataclass(frozen=True, slots=True)
class _Baseline:
    words: str
    name: str = ""
    """Of the training data's profiles, where that is the baseline."""
    events: tuple[RunEvent, ...] = ()
    """Of the runs that are it."""


def _baseline_runs(attempt: Attempt, plan: Plan, shown: Sequence[RunEvent]) -> _Baseline:
    """What `drift.baseline` names.

    Raises:  ConfigError for a run or a window that is not there.
    """
    asked = attempt.settings.drift.baseline
    if asked is None:
        return _Baseline("")
    if asked == "model":
        model = plan.model
        return _Baseline(f"training data of {model.name} version {model.version}", name=f"model/{model.digest}")
    if "/" not in asked:
        event = named(shown, asked)[-1]
        return _Baseline(f"run {str(event.run_id)[:12]} of {utc_text(event.as_of)}", events=(event,))
    low, high = _window(asked)
    inside = tuple(event for event in shown if low <= event.as_of <= high)
    if not inside:
        raise ConfigError(
            f"no run was published for an as_of in drift.baseline {asked}", "one at least", "`runs` lists them"
        )
    return _Baseline(f"{len(inside)} runs from {asked.replace('/', ' to ')}", events=inside)


def _window(text: str) -> tuple[datetime, datetime]:
    first, _, last = text.partition("/")
    begin, end = parsed_as_of(first), parsed_as_of(last)
    whole_day = len(last) == len("2013-12-31")  # a date means all of its day
    return begin, end + timedelta(days=1, microseconds=-1) if whole_day else end


def _trained_on(attempt: Attempt, plan: Plan, name: str) -> tuple[ColumnProfile, ...]:
    """The profiles of the model's training data, kept under a name for the runs to come."""
    settings, spark = attempt.settings, attempt.spark
    data = training_data(plan.model.name, plan.model.version, tracking_uri=settings.tracking_uri)
    table = table_ref(data.table, home=settings.home_uri)
    version: int | Literal["latest"] = "latest" if data.version is None else data.version
    columns = [*dict.fromkeys(plan.model_columns)]
    snapshot = ingest.pin(spark, table, version=version, as_of=datetime.now(UTC), keys=(), where=(), columns=columns)
    found = of_table(attempt, plan, replace(snapshot, columns=tuple(snapshot.schema.names)))
    keep_baseline(spark, beside(attempt.target, "_profile"), plan.run, name, found)
    return found


def _of_baseline(
    attempt: Attempt, now: Sequence[ColumnProfile], reference: Sequence[ColumnProfile], words: str
) -> tuple[Drift, ...]:
    if not reference:
        raise ConfigError(f"nothing is known of {words}", "runs that were profiled", "name others in drift.baseline")
    sorts = {one.log_type for one in reference}  # training data holds no predictions
    mine = [one for one in now if one.log_type in sorts]
    return drifts(mine, reference, drift_type="BASELINE", against=words, limits=attempt.settings.drift)
