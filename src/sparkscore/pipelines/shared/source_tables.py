"""Where a job's source is read: the table that the config names, or the one in which it is landed for an as_of."""

from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.records import MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT, LandedRows, to_utc_text
from sparkscore.settings import Settings
from sparkscore.store.landing_tables import landing_ref
from sparkscore.store.table import Table


def open_source_table(spark: SparkSession | None, settings: Settings, as_of: datetime) -> Table:
    """The table that a run of the as_of reads; of a source without versions, the one in which it is landed.

    Raises:  NameRefused.
    """
    if settings.source.format in (MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT):  # a topic has names of its own
        return Table(spark, landing_ref(settings.source.table, settings.landing_uri, as_of))
    named = Table.from_name(spark, settings.source.table, home=settings.home_uri)
    if not settings.source.is_landed:
        return named
    return Table(spark, landing_ref(settings.source.table, settings.landing_uri, as_of))


def describe_landing(settings: Settings, landed: LandedRows | None, path: str | None) -> dict[str, object]:
    """What run events say of the source: where its rows came from, without secrets, and where they lie."""
    source = settings.source
    told: dict[str, object] = {
        "format": source.format,
        "source": source.table,
        "options": dict(source.shown_options),
        "table": path,
    }
    if landed is None:
        return told
    batch = {"batch": dict(landed.batch)} if landed.batch else {}
    return {**told, "version": landed.version, "landed_at": to_utc_text(landed.landed_at), **batch}
