"""The rules of `sla_rules` for a published as_of: `score` and `check_sla` judge alike."""

from collections.abc import Sequence

from pyspark.sql import SparkSession

from sparkscore.monitor import sla_rules
from sparkscore.records import RunEvent, SlaRule
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref
from sparkscore.store.delta_tables import find_commit_time


def load_sla_rules(spark: SparkSession, settings: Settings, events: Sequence[RunEvent]) -> tuple[SlaRule, ...]:
    """The rules that the first publication of an as_of keeps or breaks; none if there is no publication.

    Needs:   all `events` of the as_of, oldest first.
    Jobs:    none; reads the source's history if a rule limits its age.
    """
    shown = next((event for event in events if event.event == "published"), None)
    if shown is None:
        return ()
    source_at = None
    if settings.sla.source_age_hours is not None and shown.pins is not None:
        source = parse_table_ref(settings.source.table, home=settings.home_uri)
        source_at = find_commit_time(spark, source, shown.pins.source_version)
    return sla_rules.publication_sla_rules(events, settings.sla, source_committed_at=source_at)
