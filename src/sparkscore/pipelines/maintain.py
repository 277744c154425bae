"""Upkeep of one job: what is too old goes, what settled runs left goes, what stays is compacted and vacuumed."""

from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.pipelines.maintenance.leftover_files import remove_models, remove_stages
from sparkscore.pipelines.maintenance.maintenance_run import MaintenanceRun
from sparkscore.pipelines.maintenance.table_maintenance import compact_job_tables, expire_job_tables, vacuum_job_tables
from sparkscore.records import MaintenanceReport
from sparkscore.settings import Settings
from sparkscore.store.colocated_jobs import load_colocated_jobs


def maintain(
    spark: SparkSession, settings: Settings, *, dry_run: bool = False, now: datetime | None = None
) -> MaintenanceReport:
    """The upkeep of a job's tables, stages and copies of models; a second call finds nothing to do.

    What a run needs that has not ended, or that the next attempt would go on from, stays. `now` judges what is old.

    Jobs:    small ones; a rewrite of the small files.
    Raises:  ForeignTable, AccessDenied, PublishConflict; what was done until then stands in the error's report, and
             the next call goes on.
    """
    job = MaintenanceRun.of(spark, settings, dry_run=dry_run, now=now)
    with job.guarded():
        tables = job.own_tables()
        with job.step("expire"):
            expire_job_tables(job)
        jobs = load_colocated_jobs(job.target, home=settings.home_uri, kept_from=job.kept_from)
        with job.step("stages"):
            remove_stages(job, jobs)
        with job.step("models"):
            remove_models(job, jobs)
        with job.step("compact"):
            compact_job_tables(job, tables, jobs)
        with job.step("vacuum"):
            vacuum_job_tables(job, tables, jobs)
        return job.ended()
