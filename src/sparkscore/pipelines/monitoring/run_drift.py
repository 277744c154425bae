"""Compares a run with the run before and with the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Literal

from sparkscore.errors import ConfigError
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import select_run_events
from sparkscore.model.registry.training_data import find_training_data
from sparkscore.model.trust.model_trust import check_training_table
from sparkscore.monitor.column_profiles import merge_profiles
from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.pipelines.monitoring.run_profiles import profile_table_inputs
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ColumnProfile, Drift, PublicationKey, RunEvent, parse_utc_time, to_utc_text
from sparkscore.store.monitoring_tables import BASELINE_AS_OF, keep_baseline, load_profiles
from sparkscore.store.table import Table

_EMPTY_RUNS = 8
"""So many runs are looked back for one with profiles, where some may have had no rows."""


@dataclass(frozen=True, slots=True)
class DriftComparison:
    """The distances of a run, and the profiles of the run before it."""

    drifts: tuple[Drift, ...] = ()
    last: tuple[ColumnProfile, ...] = ()
    baseline_error: Exception | None = None
    """Why the baseline of the config cannot be compared with."""


def compare_run_profiles(
    attempt: Attempt, plan: Plan, profiles: Sequence[ColumnProfile], events: JobEvents
) -> DriftComparison:
    """The run's profiles against those of the run before, in as_of, and against the baseline of the config.

    Jobs:    two that read the training data where it was not profiled yet; small ones where only Spark reaches the
             tables of events and profiles.
    """
    baseline, error = _find_baseline(attempt, plan, events)
    before, known = _load_last_profiles(attempt, events, baseline)
    last = () if before is None else before.profiles
    drifts = () if before is None else _compare_with_last(attempt, profiles, before)
    try:
        if error is not None:
            raise error
        if baseline is not None:
            drifts += _compare_with_baseline(attempt, plan, profiles, baseline, known)
    except Exception as failed:  # noqa: BLE001 - whatever it is, what is known of the run before stays
        return DriftComparison(drifts, last, baseline_error=failed)
    return DriftComparison(drifts, last)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What `drift.baseline` names."""

    description: str
    runs: Mapping[str, datetime]
    """The run_ids under which its profiles are stored, with their as_of."""
    is_training_data: bool = False


@dataclass(frozen=True, slots=True)
class _LastRun:
    key: PublicationKey
    profiles: tuple[ColumnProfile, ...]


def _load_last_profiles(
    attempt: Attempt, events: JobEvents, baseline: _Baseline | None
) -> tuple[_LastRun | None, Mapping[str, tuple[ColumnProfile, ...]]]:
    """The run before, with its profiles, and those of the baseline. Increments in which nothing changed have none: then
    the one before them counts."""
    before = [key for key in events.index.publications if key.as_of < attempt.as_of]
    known = _load_known_profiles(attempt, baseline.runs) if baseline and not before else {}
    for key in before[: -1 - (_EMPTY_RUNS if attempt.settings.source.reads_changes else 1) : -1]:
        scored = _runs_of_events(events.load_scoring_publications([key]))
        known = _load_known_profiles(attempt, {**scored, **(baseline.runs if baseline else {})})
        found = next((known[run_id] for run_id in scored if run_id in known), ())
        if found:
            return _LastRun(key, found), known
    return None, known


def _compare_with_last(attempt: Attempt, profiles: Sequence[ColumnProfile], last: _LastRun) -> tuple[Drift, ...]:
    against = f"run {last.key.run_id[:12]} of {to_utc_text(last.key.as_of)}"
    return measure_drifts(
        profiles, last.profiles, drift_type="CONSECUTIVE", against=against, limits=attempt.settings.drift
    )


def _find_baseline(attempt: Attempt, plan: Plan, events: JobEvents) -> tuple[_Baseline | None, Exception | None]:
    """The baseline, or why it cannot be found."""
    named = attempt.settings.drift.baseline
    if named is None:
        return None, None
    if named == "model":
        description = f"training data of {plan.model.name} version {plan.model.version}"
        return _Baseline(description, {f"model/{plan.model.digest}": BASELINE_AS_OF}, is_training_data=True), None
    try:
        found = _find_baseline_runs(named, events.index.publications)
        return _Baseline(found.description, _runs_of_events(events.load_scoring_publications(found.keys))), None
    except Exception as error:  # noqa: BLE001 - told when what is known of the run before is compared
        return None, error


def _compare_with_baseline(
    attempt: Attempt,
    plan: Plan,
    profiles: Sequence[ColumnProfile],
    baseline: _Baseline,
    known: Mapping[str, tuple[ColumnProfile, ...]],
) -> tuple[Drift, ...]:
    """The run's profiles against those of the baseline.

    Raises:  ConfigError, ModelNotFound if it does not exist.
    """
    stored = [known[run_id] for run_id in baseline.runs if run_id in known]
    if baseline.is_training_data:
        reference = stored[0] if stored else _profile_training_data(attempt, plan, next(iter(baseline.runs)))
    else:
        reference = merge_profiles(stored)
    if not reference:
        raise ConfigError(
            f"there are no profiles of {baseline.description}",
            "runs that were profiled",
            "name other runs in drift.baseline",
        )
    log_types = {profile.log_type for profile in reference}  # training data holds no predictions
    comparable = [profile for profile in profiles if profile.log_type in log_types]
    return measure_drifts(
        comparable, reference, drift_type="BASELINE", against=baseline.description, limits=attempt.settings.drift
    )


def _runs_of_events(scored: Sequence[RunEvent]) -> dict[str, datetime]:
    return {str(event.run_id): event.as_of for event in scored}


def _load_known_profiles(attempt: Attempt, runs: Mapping[str, datetime]) -> Mapping[str, tuple[ColumnProfile, ...]]:
    return load_profiles(attempt.target.sibling("_profile"), job=attempt.settings.job, runs=runs)


@dataclass(frozen=True, slots=True)
class _BaselineRuns:
    description: str
    keys: tuple[PublicationKey, ...]


def _find_baseline_runs(baseline: str, publications: Sequence[PublicationKey]) -> _BaselineRuns:
    """The run, or the runs of a window, that `drift.baseline` names.

    Raises:  ConfigError for a run or a window that does not exist.
    """
    if "/" not in baseline:
        key = select_run_events(publications, baseline)[-1]
        return _BaselineRuns(f"run {key.run_id[:12]} of {to_utc_text(key.as_of)}", (key,))
    low, high = _parse_baseline_window(baseline)
    inside = tuple(key for key in publications if low <= key.as_of <= high)
    if not inside:
        raise ConfigError(
            f"no run was published for an as_of in drift.baseline {baseline}", "at least one run", "`runs` lists them"
        )
    return _BaselineRuns(f"{len(inside)} runs from {baseline.replace('/', ' to ')}", inside)


def _parse_baseline_window(text: str) -> tuple[datetime, datetime]:
    first, _, last = text.partition("/")
    begin, end = (parse_utc_time(one, what="drift.baseline") for one in (first, last))
    whole_day = len(last) == len("2013-12-31")  # a date means all of its day
    return begin, datetime.combine(end, time.max, tzinfo=UTC) if whole_day else end


def _profile_training_data(attempt: Attempt, plan: Plan, name: str) -> tuple[ColumnProfile, ...]:
    """The profiles of the model's training data, stored for later runs."""
    settings = attempt.settings
    data = find_training_data(plan.model.name, plan.model.version, tracking_uri=settings.tracking_uri)
    warning = check_training_table(settings.model.trust_policy, data.table)
    if warning is not None:
        attempt.warn(warning)
    table = Table.from_name(attempt.spark, data.table, home=settings.home_uri)
    version: int | Literal["latest"] = "latest" if data.version is None else data.version
    columns = [*dict.fromkeys(plan.read_columns)]
    snapshot = ingest.pin_source(table, version=version, as_of=datetime.now(UTC), keys=(), where=(), columns=columns)
    profiles = profile_table_inputs(attempt, plan, replace(snapshot, columns=tuple(snapshot.schema.names)))
    keep_baseline(attempt.target.sibling("_profile"), plan.run, name, profiles)
    return profiles
