"""The rules of `sla` for a published as_of: `score` and `check_sla` judge alike."""

from collections.abc import Sequence

from pyspark.sql import SparkSession

from sparkscore.monitor import sla
from sparkscore.records import RunEvent, SlaRule
from sparkscore.settings import Settings
from sparkscore.store.names import table_ref
from sparkscore.store.tables import committed_at


def rules_of(spark: SparkSession, settings: Settings, events: Sequence[RunEvent]) -> tuple[SlaRule, ...]:
    """What the first publication of an as_of kept and broke; none where there is no publication.

    Needs:   all `events` of the as_of, oldest first.
    Jobs:    none; a look into the source's history where its age is promised.
    """
    shown = next((event for event in events if event.event == "published"), None)
    if shown is None:
        return ()
    source_at = None
    if settings.sla.source_age_hours is not None and shown.pins is not None:
        source = table_ref(settings.source.table, home=settings.home_uri)
        source_at = committed_at(spark, source, shown.pins.source_version)
    return sla.kept(events, settings.sla, source_at=source_at)
