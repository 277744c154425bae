"""What a run is compared with, and how far it is from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sparkscore.errors import ConfigError
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import find_scoring_publications, select_run_events
from sparkscore.model.registry.training_data import find_training_data
from sparkscore.monitor.column_profiles import merge_profiles
from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.pipelines.monitoring.run_profiles import profile_table_inputs
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt, parse_as_of
from sparkscore.records import ColumnProfile, Drift, RunEvent, to_utc_text
from sparkscore.store.monitoring_tables import BASELINE_AS_OF, keep_baseline, load_profiles
from sparkscore.store.table import Table


@dataclass(frozen=True, slots=True)
class DriftComparison:
    """The distances of a run, and the profiles of the run before it."""

    drifts: tuple[Drift, ...] = ()
    last: tuple[ColumnProfile, ...] = ()
    unmet: Exception | None = None
    """Why there is no distance from the baseline that the config asks for."""


def compare_run_profiles(
    attempt: Attempt, plan: Plan, now: Sequence[ColumnProfile], events: Sequence[RunEvent]
) -> DriftComparison:
    """The run's profiles against those of the run before, in as_of, and against the baseline of the config.

    Needs:   all `events` of the job.
    Jobs:    two that read the training data where it was not profiled yet; two small ones where only Spark reaches
             the table of profiles.
    """
    shown = {event.as_of: event for event in events if event.event == "published" and event.run_id is not None}
    before = [event for as_of, event in sorted(shown.items()) if as_of < attempt.as_of][-1:]
    last = next(iter(_load_scored_profiles(attempt, find_scoring_publications(events, before))), ())
    found = list[Drift]()
    if last:
        against = f"run {str(before[0].run_id)[:12]} of {to_utc_text(before[0].as_of)}"
        found += measure_drifts(now, last, drift_type="CONSECUTIVE", against=against, limits=attempt.settings.drift)
    try:
        found += _compare_with_baseline(attempt, plan, now, events, list(shown.values()))
    except Exception as error:  # noqa: BLE001 - whatever it is, what is known of the run before stays
        return DriftComparison(tuple(found), last, unmet=error)
    return DriftComparison(tuple(found), last)


def _compare_with_baseline(
    attempt: Attempt, plan: Plan, now: Sequence[ColumnProfile], events: Sequence[RunEvent], shown: Sequence[RunEvent]
) -> tuple[Drift, ...]:
    """The run's profiles against what `drift.baseline` names.

    Raises:  ConfigError, ModelNotFound where there is nothing of it.
    """
    if attempt.settings.drift.baseline is None:
        return ()
    if attempt.settings.drift.baseline == "model":
        words = f"training data of {plan.model.name} version {plan.model.version}"
        reference = _profile_training_data(attempt, plan, f"model/{plan.model.digest}")
    else:
        wanted = _find_baseline_runs(attempt.settings.drift.baseline, shown)
        words = wanted.words
        reference = merge_profiles(_load_scored_profiles(attempt, find_scoring_publications(events, wanted.events)))
    if not reference:
        raise ConfigError(f"nothing is known of {words}", "runs that were profiled", "name others in drift.baseline")
    sorts = {one.log_type for one in reference}  # training data holds no predictions
    mine = [one for one in now if one.log_type in sorts]
    return measure_drifts(mine, reference, drift_type="BASELINE", against=words, limits=attempt.settings.drift)


def _load_scored_profiles(attempt: Attempt, scored: Sequence[RunEvent]) -> list[tuple[ColumnProfile, ...]]:
    """Of each of the runs that was profiled."""
    runs = {str(event.run_id): event.as_of for event in scored}
    return list(_load_known_profiles(attempt, runs).values())


def _load_known_profiles(attempt: Attempt, runs: Mapping[str, datetime]) -> Mapping[str, tuple[ColumnProfile, ...]]:
    return load_profiles(attempt.target.sibling("_profile"), job=attempt.settings.job, runs=runs)


@dataclass(frozen=True, slots=True)
class _BaselineRuns:
    words: str
    events: tuple[RunEvent, ...]


def _find_baseline_runs(asked: str, shown: Sequence[RunEvent]) -> _BaselineRuns:
    """The run, or the runs of a window, that `drift.baseline` names.

    Raises:  ConfigError for a run or a window that is not there.
    """
    if "/" not in asked:
        event = select_run_events(shown, asked)[-1]
        return _BaselineRuns(f"run {str(event.run_id)[:12]} of {to_utc_text(event.as_of)}", (event,))
    low, high = _parse_baseline_window(asked)
    inside = tuple(event for event in shown if low <= event.as_of <= high)
    if not inside:
        raise ConfigError(
            f"no run was published for an as_of in drift.baseline {asked}", "one at least", "`runs` lists them"
        )
    return _BaselineRuns(f"{len(inside)} runs from {asked.replace('/', ' to ')}", inside)


def _parse_baseline_window(text: str) -> tuple[datetime, datetime]:
    first, _, last = text.partition("/")
    begin, end = parse_as_of(first), parse_as_of(last)
    whole_day = len(last) == len("2013-12-31")  # a date means all of its day
    return begin, end + timedelta(days=1, microseconds=-1) if whole_day else end


def _profile_training_data(attempt: Attempt, plan: Plan, name: str) -> tuple[ColumnProfile, ...]:
    """The profiles of the model's training data; the first time they are made, and kept under a name for later runs."""
    known = _load_known_profiles(attempt, {name: BASELINE_AS_OF}).get(name)
    if known:
        return known
    settings = attempt.settings
    data = find_training_data(plan.model.name, plan.model.version, tracking_uri=settings.tracking_uri)
    table = Table.from_name(attempt.spark, data.table, home=settings.home_uri)
    version: int | Literal["latest"] = "latest" if data.version is None else data.version
    columns = [*dict.fromkeys(plan.model_columns)]
    snapshot = ingest.pin_source(table, version=version, as_of=datetime.now(UTC), keys=(), where=(), columns=columns)
    found = profile_table_inputs(attempt, plan, replace(snapshot, columns=tuple(snapshot.schema.names)))
    keep_baseline(attempt.target.sibling("_profile"), plan.run, name, found)
    return found
