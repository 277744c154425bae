"""Checks the run events of a job against the rules of `sla`, also for runs that never started."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.monitor import sla_rules
from sparkscore.pipelines.monitoring.sla_settings import load_sla_rules
from sparkscore.pipelines.shared.source_tables import open_source_table
from sparkscore.records import RunEvent, SlaRule, parse_as_of
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_session_if_any
from sparkscore.store.run_events import load_event_heads, load_events
from sparkscore.store.table import Table


def check_sla(
    spark: SparkSession | None,
    settings: Settings,
    *,
    as_of: str | datetime | None = None,
    now: datetime | None = None,
) -> tuple[SlaRule, ...]:
    """The rules of `sla_rules` for one as_of, else for the newest published one; first every run that is missing.

    `now` is the time at which a run counts as late.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded.
    Jobs:    none; two small ones where only Spark reaches the run events.
    Raises:  ConfigError if the config has no rule, ForeignTable.
    """
    if not settings.sla.has_rules:
        raise ConfigError("no rule in sla", "at least one rule, for example sla.published_within_hours", "set one")
    session = create_session_if_any(spark)
    target = Table.from_name(session, settings.output.table, home=settings.home_uri)
    runs = target.sibling("_runs")
    events = load_event_heads(runs, job=settings.job)
    requested = None if as_of is None else parse_as_of(as_of)
    missed = sla_rules.missed_run_rules(events, settings.sla, now=now or datetime.now(UTC), as_of=requested)
    if not events and requested is None:
        missed = (SlaRule("runs", False, "no run of the job has started yet", "at least one run"),)
    published = _find_published_as_of(events, requested)
    if published is None:
        return missed
    own_events = load_events(runs, job=settings.job, as_ofs=(published,))
    read = settings.of_micro_batches() if any(event.is_of_micro_batch for event in own_events) else settings
    source = open_source_table(session, read, published)
    return (*missed, *load_sla_rules(source, read, own_events))


def _find_published_as_of(events: Sequence[RunEvent], requested: datetime | None) -> datetime | None:
    """The requested as_of, or the newest published one; None if it is not published."""
    published = {event.as_of for event in events if event.event == "published"}
    if requested is None:
        return max(published, default=None)
    return requested if requested in published else None
