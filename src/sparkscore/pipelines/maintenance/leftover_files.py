"""The steps of `maintain` for what runs leave apart from tables: stages, landed sources, copies of models."""

import re
from collections.abc import Iterable
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
from sparkscore.store.landing_tables import LANDING_FOLDER, landing_folder_name

_STAGE_FOLDER = re.compile(r"[0-9a-f]{32}")


def remove_stages(job: MaintenanceRun, colocated: ColocatedJobs) -> None:
    """Remove the stages of settled runs after the grace period, and those that no event refers to.

    An unfinished run may have committed its stage, or be about to: its stage stays, however old it is.
    """
    root = job.settings.stage_uri
    own_folder = f"{root}/{job.names[0]}"
    try:
        is_linked = hadoop_folders.is_linked_folder(job.spark, own_folder)
    except UnsupportedSession as out_of_reach:
        job.record_skip("stages", own_folder, out_of_reach.found)
        return
    if is_linked:
        job.record_skip("stages", own_folder, "it is a link, and sparkscore does not follow links")
        return
    unsettled, last = _stage_folder_times(colocated.unsettled), _stage_folder_times(colocated.events)
    for name in hadoop_folders.list_folder_names(job.spark, own_folder):
        if not _STAGE_FOLDER.fullmatch(name) or (name in last and last[name] > job.settled_before):
            continue
        if name in unsettled:
            job.record_skip("stages", name, "its run is not finished, or the next attempt would continue it")
        else:
            _remove_stage(job, f"{own_folder}/{name}", root)


def _remove_stage(job: MaintenanceRun, folder: str, root: str) -> None:
    size = hadoop_folders.measure_folder(job.spark, folder)
    if size.newest > job.settled_before:
        return
    if not job.dry_run:
        hadoop_folders.remove_table_folder(job.spark, folder, root=root)
    job.add_counts(stages_removed=1, stage_bytes_removed=size.bytes)


def remove_landings(job: MaintenanceRun, colocated: ColocatedJobs) -> None:
    """Remove what was landed for the as_ofs of settled runs, after the grace period: a copy of all that they read.

    The columns that the job's source has are kept.
    """
    root = f"{job.settings.home_uri}/landing"
    unsettled, last = _landing_folder_times(job, colocated.unsettled), _landing_folder_times(job, colocated.events)
    for own_folder in (f"{root}/{name}" for name in job.names):
        if hadoop_folders.is_linked_folder(job.spark, own_folder):
            job.record_skip("landings", own_folder, "it is a link, and sparkscore does not follow links")
            continue
        for name in hadoop_folders.list_folder_names(job.spark, own_folder):
            if not LANDING_FOLDER.fullmatch(name) or (name in last and last[name] > job.settled_before):
                continue
            if name in unsettled:
                job.record_skip("landings", name, "its run is not finished, or the next attempt would continue it")
            else:
                _remove_landing(job, f"{own_folder}/{name}", root)


def _remove_landing(job: MaintenanceRun, folder: str, root: str) -> None:
    size = hadoop_folders.measure_folder(job.spark, folder)
    if size.newest > job.settled_before:
        return
    if not job.dry_run:
        hadoop_folders.remove_table_folder(job.spark, folder, root=root)
    job.add_counts(landings_removed=1, landing_bytes_removed=size.bytes)


def _landing_folder_times(job: MaintenanceRun, events: Iterable[RunEvent]) -> dict[str, datetime]:
    """The folders of the as_ofs of the job's own events, and the time of the last event of each."""
    own = sorted((event for event in events if event.job in job.names), key=lambda event: event.at)
    return {landing_folder_name(event.as_of): event.at for event in own}


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
