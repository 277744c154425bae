"""The steps of `maintain` on the job's tables."""

from collections.abc import Sequence

from sparkscore.pipelines.upkeep import Upkeep
from sparkscore.records import TableRef
from sparkscore.store import retention, upkeep
from sparkscore.store.neighbours import Neighbours
from sparkscore.store.tables import table_id


def expire(job: Upkeep) -> None:
    """Delete predictions, rejects, profiles, drift and events of every as_of that is older than the retention.

    Events go last: until then they say of rows that are gone which runs they were.
    """
    before = job.kept_from
    if before is None:
        return
    job.know(expired_before=before.isoformat())
    order: Sequence[tuple[str, TableRef]] = [
        ("predictions_expired", job.target),
        ("rejects_expired", job.rejects),
        *(("profiles_expired", table) for table in job.profiles),
        ("events_expired", job.events),
    ]
    found = [retention.expired(job.spark, table, before=before) for _, table in order]
    if not job.dry_run and any(found):
        retention.remember_revisions(job.spark, job.target, job.events, before=before)
    for (name, table), rows in zip(order, found, strict=True):
        if rows and not job.dry_run:
            retention.expire(job.spark, table, before=before, job=job.settings.job)
        job.add(**{name: sum(rows.values())})
    job.know(as_of_expired=len(set().union(*found)))


def compact(job: Upkeep, tables: Sequence[TableRef], told: Neighbours) -> None:
    """Make many small files into few, where no run is at work: its MERGE would have to start again."""
    busy = {event.as_of.date() for event in told.unsettled if event.job == job.settings.job}
    for table in tables:
        for part in upkeep.many_small_files(job.spark, table):
            if part.as_of_date in busy:
                job.skip("compact", f"{table.name} of {part.as_of_date}", "a run of that date has not ended")
            elif job.dry_run:
                job.add(files_compacted=part.small_files)
            else:
                job.add(files_compacted=upkeep.compact(job.spark, table, part, job=job.settings.job))


def vacuum(job: Upkeep, tables: Sequence[TableRef], told: Neighbours) -> None:
    """Remove the files that no version within Delta's retention needs, unless a run has pinned an older one."""
    for table in tables:
        files = upkeep.vacuumable(job.spark, table)
        reason = _kept_by(job, table, told, files) if files else None
        if reason is not None:
            job.skip("vacuum", table.name, reason)
        elif files:
            if not job.dry_run:
                upkeep.vacuum(job.spark, table)
            job.add(files_vacuumed=len(files))


def _kept_by(job: Upkeep, table: TableRef, told: Neighbours, files: Sequence[str]) -> str | None:
    """Why a VACUUM of the table would not be safe; None where it is."""
    if told.unread:
        return f"what is pinned is not known: {', '.join(told.unread)} could not be read"
    own = table_id(job.spark, table)
    pinned = {
        event.pins.source_version: event for event in told.unsettled if event.pins and event.pins.source_id == own
    }
    for version, event in sorted(pinned.items()):
        if upkeep.would_lose(job.spark, table, version, files):
            return (
                f"the job {event.job} reads version {version} in run {(event.run_id or '')[:12]}, which has not ended"
            )
    return None
