"""The steps of `maintain` on the job's tables."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta

from sparkscore.pipelines.maintenance.maintenance_run import MaintenanceRun
from sparkscore.store import file_maintenance, retention
from sparkscore.store.colocated_jobs import ColocatedJobs
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.reused_predictions import remove_unused_predictions
from sparkscore.store.small_table_upkeep import choose_small_files, choose_wide_file, compact_small_files
from sparkscore.store.table import Table
from sparkscore.store.table_location import DIRECT_ERRORS


def expire_job_tables(job: MaintenanceRun) -> None:
    """Delete the rows of every as_of that is older than the retention from all tables of the job.

    Events go last: until then they say which runs the removed rows belonged to.
    """
    before = job.kept_from
    if before is None:
        return
    job.report = replace(job.report, expired_before=before.isoformat())
    order: Sequence[tuple[str, Table]] = [
        ("predictions_expired", job.target),
        ("challengers_expired", job.challengers_table),
        *(("derived_expired", table) for table in job.derived_tables),
        ("rejects_expired", job.rejects_table),
        *(("profiles_expired", table) for table in job.profile_tables),
        ("events_expired", job.events_table),
    ]
    expired = [retention.count_expired_rows(table, before=before) for _, table in order]
    if not job.dry_run and any(expired):
        retention.record_expired_revision(job.target, job.events_table, before=before)
    for (name, table), rows in zip(order, expired, strict=True):
        if rows and not job.dry_run:
            retention.delete_expired_rows(table, before=before, job=job.settings.job)
        job.add_counts(**{name: sum(rows.values())})
    job.report = replace(job.report, as_of_expired=len(set().union(*expired)))


def expire_reused_predictions(job: MaintenanceRun) -> None:
    """Delete the reused predictions that no run has used for `model.reuse_days`."""
    before = job.now.astimezone(UTC).date() - timedelta(days=job.settings.model.reuse_days)
    removed = remove_unused_predictions(job.reused_table, before=before, job=job.settings.job, dry_run=job.dry_run)
    job.add_counts(reused_expired=removed)


def compact_job_tables(job: MaintenanceRun, tables: Sequence[Table], colocated: ColocatedJobs) -> None:
    """Compact small files where no run is active: its MERGE would have to start again."""
    busy = {event.as_of.date() for event in colocated.unsettled if event.job in job.names}
    for table in tables:
        if table is job.events_table and _compact_events(job, table):
            continue
        for part in file_maintenance.find_small_file_partitions(table):
            if part.as_of_date in busy:
                job.record_skip("compact", f"{table.name} of {part.as_of_date}", "a run of that date is not finished")
            elif job.dry_run:
                job.add_counts(files_compacted=part.small_files)
            else:
                job.add_counts(files_compacted=file_maintenance.compact_partition(table, part, job=job.settings.job))


def _compact_events(job: MaintenanceRun, table: Table) -> bool:
    """Whether small files of the run events were looked for without Spark: it would make one of all rows, unsorted."""
    with suppress(*DIRECT_ERRORS):
        for choose in (choose_small_files, choose_wide_file):
            found = choose(DirectTable.open(table)).num_rows if job.dry_run else compact_small_files(table, choose)
            job.add_counts(files_compacted=found)
        return True
    return False


def vacuum_job_tables(job: MaintenanceRun, tables: Sequence[Table], colocated: ColocatedJobs) -> None:
    """Remove the files that no version within Delta's retention needs, unless a run has pinned an older one."""
    for table in tables:
        files = file_maintenance.list_vacuumable_files(table)
        reason = _vacuum_obstacle(job, table, colocated, files) if files else None
        if reason is not None:
            job.record_skip("vacuum", table.name, reason)
        elif files:
            if not job.dry_run:
                file_maintenance.vacuum_table(table)
            job.add_counts(files_vacuumed=len(files))


def _vacuum_obstacle(job: MaintenanceRun, table: Table, colocated: ColocatedJobs, files: Sequence[str]) -> str | None:
    """Why a VACUUM of the table is not safe; None if it is."""
    if colocated.unread:
        return f"the pins of some runs are unknown: {', '.join(colocated.unread)} could not be read"
    table_id = table.id
    pinned = {
        event.pins.source_version: event
        for event in colocated.unsettled
        if event.pins and event.pins.source_id == table_id
    }
    for version, event in sorted(pinned.items()):
        if file_maintenance.can_vacuum_break_version(table, version, files):
            return (
                f"the job {event.job} reads version {version} in run {(event.run_id or '')[:12]}, which is not finished"
            )
    return None
