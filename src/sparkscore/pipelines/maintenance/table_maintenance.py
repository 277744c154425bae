"""The steps of `maintain` on the job's tables."""

from collections.abc import Sequence

from sparkscore.pipelines.maintenance.maintenance_run import MaintenanceRun
from sparkscore.store import file_maintenance, retention
from sparkscore.store.colocated_jobs import ColocatedJobs
from sparkscore.store.table import Table


def expire_job_tables(job: MaintenanceRun) -> None:
    """Delete predictions, rejects, profiles, drift and events of every as_of that is older than the retention.

    Events go last: until then they say of rows that are gone which runs they were.
    """
    before = job.kept_from
    if before is None:
        return
    job.know(expired_before=before.isoformat())
    order: Sequence[tuple[str, Table]] = [
        ("predictions_expired", job.target),
        ("rejects_expired", job.rejects),
        *(("profiles_expired", table) for table in job.profiles),
        ("events_expired", job.events),
    ]
    found = [retention.count_expired_rows(table, before=before) for _, table in order]
    if not job.dry_run and any(found):
        retention.record_expired_revision(job.target, job.events, before=before)
    for (name, table), rows in zip(order, found, strict=True):
        if rows and not job.dry_run:
            retention.delete_expired_rows(table, before=before, job=job.settings.job)
        job.add(**{name: sum(rows.values())})
    job.know(as_of_expired=len(set().union(*found)))


def compact_job_tables(job: MaintenanceRun, tables: Sequence[Table], jobs: ColocatedJobs) -> None:
    """Make many small files into few, where no run is at work: its MERGE would have to start again."""
    busy = {event.as_of.date() for event in jobs.unsettled if event.job == job.settings.job}
    for table in tables:
        for part in file_maintenance.find_small_file_partitions(table):
            if part.as_of_date in busy:
                job.skip("compact", f"{table.name} of {part.as_of_date}", "a run of that date has not ended")
            elif job.dry_run:
                job.add(files_compacted=part.small_files)
            else:
                job.add(files_compacted=file_maintenance.compact_partition(table, part, job=job.settings.job))


def vacuum_job_tables(job: MaintenanceRun, tables: Sequence[Table], jobs: ColocatedJobs) -> None:
    """Remove the files that no version within Delta's retention needs, unless a run has pinned an older one."""
    for table in tables:
        files = file_maintenance.list_vacuumable_files(table)
        reason = _vacuum_obstacle(job, table, jobs, files) if files else None
        if reason is not None:
            job.skip("vacuum", table.name, reason)
        elif files:
            if not job.dry_run:
                file_maintenance.vacuum_table(table)
            job.add(files_vacuumed=len(files))


def _vacuum_obstacle(job: MaintenanceRun, table: Table, jobs: ColocatedJobs, files: Sequence[str]) -> str | None:
    """Why a VACUUM of the table would not be safe; None where it is."""
    if jobs.unread:
        return f"what is pinned is not known: {', '.join(jobs.unread)} could not be read"
    own = table.id
    pinned = {
        event.pins.source_version: event for event in jobs.unsettled if event.pins and event.pins.source_id == own
    }
    for version, event in sorted(pinned.items()):
        if file_maintenance.can_vacuum_break_version(table, version, files):
            return (
                f"the job {event.job} reads version {version} in run {(event.run_id or '')[:12]}, which has not ended"
            )
    return None
