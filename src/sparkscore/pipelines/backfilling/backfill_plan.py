"""What a back-fill does with each as_of: by the job's run events, and by what is left of the source."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sparkscore.errors import ConfigError
from sparkscore.lifecycle import decide_next_attempt, exported_targets, list_publications
from sparkscore.model.registry.model_resolution import look_up_model_version
from sparkscore.pipelines.backfilling.backfill_request import BackfillRequest, describe_as_ofs
from sparkscore.pipelines.monitoring.run_monitoring import is_monitoring_requested
from sparkscore.records import Pins, PlannedAsOf, RunEvent
from sparkscore.store.lost_versions import find_lost_versions
from sparkscore.store.run_events import load_chosen_events
from sparkscore.store.table import Table

NO_VERSION_THEN = "the source had no version then, or its log does not tell any more"

PAST_INCREMENT = "with source.read: changes as_ofs are published in their order, and a later one is published"


@dataclass(frozen=True, slots=True)
class JobPast:
    """What the job has done so far, as far as a back-fill needs to know it."""

    events: Mapping[datetime, Sequence[RunEvent]]
    """Of the as_ofs of the back-fill, oldest first."""
    champions: Sequence[tuple[datetime, str]]
    """The model version of the publication of each as_of, ascending."""
    newest: datetime | None = None
    """The greatest as_of that is published."""

    @classmethod
    def load(cls, runs: Table, request: BackfillRequest) -> "JobPast":
        """The past of the job.

        Jobs:    none, or a small one where only Spark reaches the run events.
        Raises:  ForeignTable.
        """
        wanted = frozenset(request.as_ofs)

        def choose(events: Sequence[RunEvent]) -> list[RunEvent]:
            return [one for one in events if one.event == "published" or one.as_of in wanted]

        found: dict[datetime, list[RunEvent]] = {}
        for event in load_chosen_events(runs, job=request.settings.job, choose=choose):
            found.setdefault(event.as_of, []).append(event)
        champions = [
            (as_of, current.pins.model_version)
            for as_of, events in sorted(found.items())
            if (current := _find_publication(events)) is not None
            and current.pins is not None
            and current.pins.model_name == request.model_name
        ]
        newest = max((as_of for as_of, events in found.items() if _find_publication(events)), default=None)
        return cls({as_of: events for as_of, events in found.items() if as_of in wanted}, champions, newest)

    def foresee(self, planned: Sequence[PlannedAsOf]) -> "JobPast":
        """The past with what attempts that go on will have published: of a killed one the events may lack it."""
        begun = [(one.as_of, one.model_version) for one in planned if one.action == "continue" and one.model_version]
        return replace(self, champions=sorted([*self.champions, *begun]))

    def find_champion(self, as_of: datetime) -> str | None:
        """The model version of the publication before an as_of; None where there is none."""
        place = bisect_left([one for one, _ in self.champions], as_of)
        return self.champions[place - 1][1] if place else None


def plan_backfill(request: BackfillRequest, past: JobPast, source: Table) -> tuple[PlannedAsOf, ...]:
    """What is done with each as_of, in order.

    Jobs:    none; small ones where only Spark reaches the logs.
    Raises:  ConfigError for as_ofs that retention does not allow, and where no publication tells which model was used
             then; TableNotFound; RegistryUnreachable.
    """
    planned = [_plan_as_of(request, past.events.get(as_of, ()), as_of) for as_of in request.as_ofs]
    if request.settings.source.reads_changes and past.newest is not None:
        planned = [_leave_past_out(one, past.newest) for one in planned]
    _refuse_expired_as_ofs(request, [one.as_of for one in planned if one.action in ("score", "continue")])
    planned = _choose_models(request, past, planned)
    return tuple(_choose_source_versions(request, planned, source))


def _plan_as_of(request: BackfillRequest, events: Sequence[RunEvent], as_of: datetime) -> PlannedAsOf:
    current = _find_publication(events)
    if current is not None:
        return _plan_published_as_of(request, events, current)
    keep = decide_next_attempt(events, {}).keep
    if keep is None or not _can_keep(request, keep):
        return PlannedAsOf(as_of, "score")
    return PlannedAsOf(as_of, "continue", keep.source_version, keep.model_version)


def _plan_published_as_of(request: BackfillRequest, events: Sequence[RunEvent], current: RunEvent) -> PlannedAsOf:
    pins, settings = current.pins, request.settings
    source, model = (None, None) if pins is None else (pins.source_version, pins.model_version)
    told = [event for event in events if event.event == "monitored" and event.run_id == current.run_id]
    exported = {name for name, _ in exported_targets(events, current.run_id)}
    lacks_monitoring = is_monitoring_requested(settings) and current.verb != "rollback" and not told
    if pins is not None and (lacks_monitoring or {*settings.output.export_names} - exported):
        return PlannedAsOf(current.as_of, "make_up", source, model)
    code = (told[-1].exit_code or 0) if told else 0
    return PlannedAsOf(current.as_of, "skip", source, model, "already published", code)


def _leave_past_out(planned: PlannedAsOf, newest: datetime) -> PlannedAsOf:
    """An increment that no attempt has begun, and after which others are published: those have its changes."""
    is_past = planned.action == "score" and planned.as_of < newest
    return replace(planned, action="leave_out", reason=PAST_INCREMENT) if is_past else planned


def _can_keep(request: BackfillRequest, keep: Pins) -> bool:
    """Whether the choices allow the model of an attempt that did not end."""
    is_same = request.model_name in (None, keep.model_name)
    return is_same and request.fixed_model in (None, keep.model_version)


def _find_publication(events: Sequence[RunEvent]) -> RunEvent | None:
    return next(reversed(list_publications(events)), None)


def _refuse_expired_as_ofs(request: BackfillRequest, as_ofs: Sequence[datetime]) -> None:
    kept_from = request.settings.output.first_kept_date(datetime.now(UTC))
    expired = [as_of for as_of in as_ofs if kept_from is not None and as_of.date() < kept_from]
    if expired:
        raise ConfigError(
            f"{len(expired):,} as_ofs are older than output.retention_days allows:"
            f" {describe_as_ofs(expired, request.as_ofs)}; `maintain` would remove what is published for them",
            f"as_ofs from {kept_from} on",
            "begin the range later (--from), or raise output.retention_days",
        )


def _choose_models(request: BackfillRequest, past: JobPast, planned: Sequence[PlannedAsOf]) -> list[PlannedAsOf]:
    if request.follows_history:
        foreseen = past.foresee(planned)
        chosen = [_take_champion(foreseen, one) for one in planned]
        unknown = [one.as_of for one in chosen if one.action == "score" and one.model_version is None]
        if unknown:
            raise ConfigError(
                f"no publication before {len(unknown):,} as_ofs tells which version of {request.model_name} was used"
                f" then: {describe_as_ofs(unknown, request.as_ofs)}",
                "a version of the model for each as_of",
                "--model-as-it-is takes what the alias names now, --model-version N that version",
            )
        return chosen
    version = request.fixed_model
    if version is None and request.model_name is not None and any(one.action == "score" for one in planned):
        version = look_up_model_version(request.settings.model.uri, request.settings.tracking_uri)
    return [replace(one, model_version=version) if one.action == "score" else one for one in planned]


def _take_champion(past: JobPast, planned: PlannedAsOf) -> PlannedAsOf:
    return replace(planned, model_version=past.find_champion(planned.as_of)) if planned.action == "score" else planned


def _choose_source_versions(
    request: BackfillRequest, planned: Sequence[PlannedAsOf], source: Table
) -> list[PlannedAsOf]:
    """The plan with the version that each run takes; as_ofs of which none is left are missing."""
    version = request.settings.source.version
    if request.settings.source.is_landed or not any(one.action in ("score", "continue") for one in planned):
        return list(planned)
    if version == "as_of":
        then = source.find_versions_at([one.as_of for one in planned if one.action == "score"])
        planned = [replace(one, source_version=then[one.as_of]) if one.as_of in then else one for one in planned]
    elif version != "latest":
        planned = [replace(one, source_version=version) if one.action == "score" else one for one in planned]
    read = {one.source_version for one in planned if one.action in ("score", "continue")} - {None}
    lost = find_lost_versions(source, [one for one in read if one is not None])
    return [_miss_lost_version(one, lost, needs_version=version == "as_of") for one in planned]


def _miss_lost_version(planned: PlannedAsOf, lost: Mapping[int, str], *, needs_version: bool) -> PlannedAsOf:
    if planned.action not in ("score", "continue"):
        return planned
    if planned.source_version is None:
        return replace(planned, action="missing", reason=NO_VERSION_THEN) if needs_version else planned
    reason = lost.get(planned.source_version)
    return planned if reason is None else replace(planned, action="missing", reason=reason)
