"""Maintains one job: removes what is too old and what settled runs left; compacts and vacuums the rest."""

from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.pipelines.maintenance.leftover_files import remove_landings, remove_models, remove_stages
from sparkscore.pipelines.maintenance.maintenance_run import MaintenanceRun
from sparkscore.pipelines.maintenance.table_maintenance import (
    compact_job_tables,
    expire_job_tables,
    expire_reused_predictions,
    vacuum_job_tables,
)
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.records import MaintenanceReport
from sparkscore.settings import Settings
from sparkscore.store.colocated_jobs import load_colocated_jobs


def maintain(
    spark: SparkSession, settings: Settings, *, dry_run: bool = False, now: datetime | None = None
) -> MaintenanceReport:
    """Maintain a job's tables, stages, landed sources and copies of models; a second call finds nothing to do.

    What an unfinished run needs, or what the next attempt would continue from, stays. `now` is the time for ages.

    Jobs:    small ones; a rewrite of the small files.
    Raises:  ForeignTable, AccessDenied, PublishConflict; the error's report holds what was done until then, and
             the next call continues.
    """
    job = MaintenanceRun.open(spark, settings, dry_run=dry_run, now=now)
    with attach_report_to_failures("maintaining the job", job.fail):
        tables = job.list_own_tables()
        with job.phase("expire"):
            expire_job_tables(job)
            expire_reused_predictions(job)
        colocated = load_colocated_jobs(job.target, home=settings.home_uri, kept_from=job.kept_from)
        with job.phase("stages"):
            remove_stages(job, colocated)
        with job.phase("landings"):
            remove_landings(job, colocated)
        with job.phase("models"):
            remove_models(job, colocated)
        with job.phase("compact"):
            compact_job_tables(job, tables, colocated)
        with job.phase("vacuum"):
            vacuum_job_tables(job, tables, colocated)
        return job.finish()
