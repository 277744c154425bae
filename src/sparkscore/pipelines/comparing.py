"""What a run is compared with, and how far it is from it."""

from collections.abc import Mapping, Sequence
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
from sparkscore.store.runs import named, scored_by


@dataclass(frozen=True, slots=True)
class Compared:
    """The distances of a run, and the profiles of the run before it."""

    drifts: tuple[Drift, ...] = ()
    last: tuple[ColumnProfile, ...] = ()
    unmet: Exception | None = None
    """Why there is no distance from the baseline that the config asks for."""


def compared(attempt: Attempt, plan: Plan, now: Sequence[ColumnProfile], events: Sequence[RunEvent]) -> Compared:
    """The run's profiles against those of the run before, in as_of, and against the baseline of the config.

    Needs:   all `events` of the job.
    Jobs:    two that read the training data where it was not profiled yet; two small ones where only Spark reaches
             the table of profiles.
    """
    shown = {event.as_of: event for event in events if event.event == "published" and event.run_id is not None}
    before = [event for as_of, event in sorted(shown.items()) if as_of < attempt.as_of][-1:]
    last = next(iter(_profiles(attempt, scored_by(events, before))), ())
    found = list[Drift]()
    if last:
        against = f"run {str(before[0].run_id)[:12]} of {utc_text(before[0].as_of)}"
        found += drifts(now, last, drift_type="CONSECUTIVE", against=against, limits=attempt.settings.drift)
    try:
        found += _from_baseline(attempt, plan, now, events, list(shown.values()))
    except Exception as error:  # noqa: BLE001 - whatever it is, what is known of the run before stays
        return Compared(tuple(found), last, unmet=error)
    return Compared(tuple(found), last)


def _from_baseline(
    attempt: Attempt, plan: Plan, now: Sequence[ColumnProfile], events: Sequence[RunEvent], shown: Sequence[RunEvent]
) -> tuple[Drift, ...]:
    """The run's profiles against what `drift.baseline` names.

    Raises:  ConfigError, ModelNotFound where there is nothing of it.
    """
    if attempt.settings.drift.baseline is None:
        return ()
    if attempt.settings.drift.baseline == "model":
        words = f"training data of {plan.model.name} version {plan.model.version}"
        reference = _trained_on(attempt, plan, f"model/{plan.model.digest}")
    else:
        wanted = _baseline_runs(attempt.settings.drift.baseline, shown)
        words = wanted.words
        reference = merged_profiles(_profiles(attempt, scored_by(events, wanted.events)))
    if not reference:
        raise ConfigError(f"nothing is known of {words}", "runs that were profiled", "name others in drift.baseline")
    sorts = {one.log_type for one in reference}  # training data holds no predictions
    mine = [one for one in now if one.log_type in sorts]
    return drifts(mine, reference, drift_type="BASELINE", against=words, limits=attempt.settings.drift)


def _profiles(attempt: Attempt, scored: Sequence[RunEvent]) -> list[tuple[ColumnProfile, ...]]:
    """Of each of the runs that was profiled."""
    runs = {str(event.run_id): event.as_of for event in scored}
    return list(_known(attempt, runs).values())


def _known(attempt: Attempt, runs: Mapping[str, datetime]) -> Mapping[str, tuple[ColumnProfile, ...]]:
    return profiles_of(attempt.spark, beside(attempt.target, "_profile"), job=attempt.settings.job, runs=runs)


@dataclass(frozen=True, slots=True)
class _Baseline:
    words: str
    events: tuple[RunEvent, ...]


def _baseline_runs(asked: str, shown: Sequence[RunEvent]) -> _Baseline:
    """The run, or the runs of a window, that `drift.baseline` names.

    Raises:  ConfigError for a run or a window that is not there.
    """
    if "/" not in asked:
        event = named(shown, asked)[-1]
        return _Baseline(f"run {str(event.run_id)[:12]} of {utc_text(event.as_of)}", (event,))
    low, high = _window(asked)
    inside = tuple(event for event in shown if low <= event.as_of <= high)
    if not inside:
        raise ConfigError(
            f"no run was published for an as_of in drift.baseline {asked}", "one at least", "`runs` lists them"
        )
    return _Baseline(f"{len(inside)} runs from {asked.replace('/', ' to ')}", inside)


def _window(text: str) -> tuple[datetime, datetime]:
    first, _, last = text.partition("/")
    begin, end = parsed_as_of(first), parsed_as_of(last)
    whole_day = len(last) == len("2013-12-31")  # a date means all of its day
    return begin, end + timedelta(days=1, microseconds=-1) if whole_day else end


def _trained_on(attempt: Attempt, plan: Plan, name: str) -> tuple[ColumnProfile, ...]:
    """The profiles of the model's training data; the first time they are made, and kept under a name for later runs."""
    known = _known(attempt, {name: BASELINE_AS_OF}).get(name)
    if known:
        return known
    settings, spark = attempt.settings, attempt.spark
    data = training_data(plan.model.name, plan.model.version, tracking_uri=settings.tracking_uri)
    table = table_ref(data.table, home=settings.home_uri)
    version: int | Literal["latest"] = "latest" if data.version is None else data.version
    columns = [*dict.fromkeys(plan.model_columns)]
    snapshot = ingest.pin(spark, table, version=version, as_of=datetime.now(UTC), keys=(), where=(), columns=columns)
    found = of_table(attempt, plan, replace(snapshot, columns=tuple(snapshot.schema.names)))
    keep_baseline(spark, beside(attempt.target, "_profile"), plan.run, name, found)
    return found
