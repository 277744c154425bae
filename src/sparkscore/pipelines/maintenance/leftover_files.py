"""The steps of `maintain` for what runs leave apart from tables: stages, landed sources, copies of models."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sparkscore.errors import UnsupportedSession
from sparkscore.model.registry import private_copies
from sparkscore.pipelines.maintenance.maintenance_run import MaintenanceRun
from sparkscore.records import RunEvent
from sparkscore.spark.session_kind import shares_files
from sparkscore.stage.stage_store import stage_folder_name
from sparkscore.store import hadoop_folders
from sparkscore.store.colocated_jobs import ColocatedJobs
from sparkscore.store.landing_tables import LANDING_FOLDER, changes_folder_name, landing_folder_name
from sparkscore.store.model_sets import find_digests_of_sets

_STAGE_FOLDER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _RunFolders:
    """Folders that runs leave, each in one of the job's own below a common root."""

    step: str
    root: str
    pattern: re.Pattern[str]
    unsettled: Mapping[str, datetime]
    """Those of runs that are not finished, or whose next attempt would continue them."""
    last: Mapping[str, datetime]
    """The time of the last event of each."""
    counts: tuple[str, str]
    """How many, and how many bytes, as the report counts them."""


def remove_stages(job: MaintenanceRun, colocated: ColocatedJobs) -> None:
    """Remove the stages of settled runs after the grace period, and those that no event refers to.

    An unfinished run may have committed its stage, or be about to: its stage stays, however old it is.
    """
    stages = _RunFolders(
        "stages",
        job.settings.stage_uri,
        _STAGE_FOLDER,
        _stage_folder_times(colocated.unsettled),
        _stage_folder_times(colocated.events),
        ("stages_removed", "stage_bytes_removed"),
    )
    _remove_settled_folders(job, stages, job.names[0])


def remove_landings(job: MaintenanceRun, colocated: ColocatedJobs) -> None:
    """Remove what was landed for the as_ofs of settled runs, after the grace period: a copy of all that they read.

    The columns that the job's source has are kept.
    """
    landings = _RunFolders(
        "landings",
        f"{job.settings.home_uri}/landing",
        LANDING_FOLDER,
        _landing_folder_times(job, colocated.unsettled),
        _landing_folder_times(job, colocated.events),
        ("landings_removed", "landing_bytes_removed"),
    )
    for name in job.names:
        _remove_settled_folders(job, landings, name)


def _remove_settled_folders(job: MaintenanceRun, found: _RunFolders, own_name: str) -> None:
    """Remove those of settled runs from a folder of the job, unless it is a link, or out of this client's reach."""
    own_folder = f"{found.root}/{own_name}"
    try:
        is_linked = hadoop_folders.is_linked_folder(job.spark, own_folder)
    except UnsupportedSession as out_of_reach:
        job.record_skip(found.step, own_folder, out_of_reach.found)
        return
    if is_linked:
        job.record_skip(found.step, own_folder, "it is a link, and sparkscore does not follow links")
        return
    for name in hadoop_folders.list_folder_names(job.spark, own_folder):
        if not found.pattern.fullmatch(name) or (name in found.last and found.last[name] > job.settled_before):
            continue
        if name in found.unsettled:
            job.record_skip(found.step, name, "its run is not finished, or the next attempt would continue it")
        else:
            _remove_run_folder(job, found, f"{own_folder}/{name}")


def _remove_run_folder(job: MaintenanceRun, found: _RunFolders, folder: str) -> None:
    size = hadoop_folders.measure_folder(job.spark, folder)
    if size.newest > job.settled_before:
        return
    if not job.dry_run:
        hadoop_folders.remove_table_folder(job.spark, folder, root=found.root)
    count, total = found.counts
    job.add_counts(**{count: 1, total: size.bytes})


def _landing_folder_times(job: MaintenanceRun, events: Iterable[RunEvent]) -> dict[str, datetime]:
    """The folders of the as_ofs of the job's own events, and the time of the last event of each."""
    own = sorted((event for event in events if event.job in job.names), key=lambda event: event.at)
    return {name(event.as_of): event.at for event in own for name in (landing_folder_name, changes_folder_name)}


def remove_models(job: MaintenanceRun, colocated: ColocatedJobs) -> None:
    """Remove private copies of models that no run has used within the grace period, under a local home."""
    home = job.settings.home_uri
    if not Path(home).is_absolute() or not shares_files(job.spark):
        return
    if colocated.unread:
        job.record_skip(
            "models",
            f"{home}/models",
            f"the pins of some runs are unknown: {', '.join(colocated.unread)} could not be read",
        )
        return
    needed = [*colocated.unsettled, *(event for event in colocated.events if event.at > job.settled_before)]
    pinned = {event.pins.model_digest for event in needed if event.pins is not None}
    pinned |= find_digests_of_sets(job.target.sibling("_models"), pinned)
    for copy in private_copies.list_unused_copies(f"{home}/models", pinned=pinned, unused_since=job.settled_before):
        size = private_copies.copy_bytes(copy)
        if not job.dry_run:
            private_copies.remove_private_copy(copy)
        job.add_counts(models_removed=1, model_bytes_removed=size)


def _stage_folder_times(events: Iterable[RunEvent]) -> dict[str, datetime]:
    """The folders of the events' stages, and the time of the last event of each."""
    return {
        stage_folder_name(event.pins.stage_id(event.as_of)): event.at
        for event in sorted(events, key=lambda event: event.at)
        if event.pins is not None
    }
