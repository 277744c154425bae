"""Lands the rows of a micro-batch: from then on it is a source like any other, and every retry reads the same rows."""

from collections.abc import Mapping
from uuid import uuid4

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import PublishConflict
from sparkscore.ingest.stream_source import select_batch_rows
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import describe_unversioned_source, find_landing, source_conditions
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import CORRUPT_COLUMN, LandedRows
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.direct_landing import land_few_rows
from sparkscore.store.landing_tables import count_landings, write_landed_rows


def land_batch(
    job: StreamJob, attempt: Attempt, rows: DataFrame, facts: Mapping[str, str], *, is_new: bool
) -> LandedRows:
    """What the run of a micro-batch reads. Landed once: an attempt after a kill finds what the one before has landed.

    Jobs:    one that reads the rows; one more that writes them where there are many.
    Raises:  ConfigError for columns that are not there, PublishConflict, and what the source's reader raises.
    """
    found = None if is_new else find_landing(attempt)
    if found is not None:
        return found
    source = describe_unversioned_source(attempt.settings, batch=facts)
    chosen = _choose_rows(job, rows)
    with attempt.phase("land"):
        number = 1 if is_new else count_landings(attempt.source, source.digest) + 1
        is_first = is_new or not attempt.source.refresh().exists()
        keys, name = job.settings.source.keys, job.settings.job
        if not is_first or not land_few_rows(chosen, attempt.source, source, keys=keys, job=name, number=number):
            write_landed_rows(
                chosen, attempt.source, source, job=name, number=number, writer=uuid4().hex, is_unsure=False
            )
    landed = find_landing(attempt)
    if landed is None:
        raise PublishConflict(
            "another stream lands the same micro-batch", "one stream for one checkpoint", "end the other one first"
        )
    return landed


def _choose_rows(job: StreamJob, rows: DataFrame) -> DataFrame:
    """Those that are scored: as the feed left them, the newest of each key, those that meet the filter."""
    settings = job.settings
    chosen = select_batch_rows(
        rows,
        keys=settings.source.keys,
        is_feed=settings.stream.on_update == "changes",
        newest_by=settings.stream.newest_by,
    )
    conditions = source_conditions(settings)
    if not conditions:
        return chosen
    met = to_spark_filter(conditions, spark_to_arrow_schema(chosen.schema))
    is_text = CORRUPT_COLUMN in chosen.columns
    return chosen.where(F.col(CORRUPT_COLUMN).isNotNull() | met) if is_text else chosen.where(met)
