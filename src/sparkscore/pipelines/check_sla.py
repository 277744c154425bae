"""The promises about a job, held against its run events: also about the run that never started."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.monitor import sla_rules
from sparkscore.pipelines.monitoring.sla_settings import load_sla_rules
from sparkscore.pipelines.shared.run_attempt import parse_as_of
from sparkscore.records import RunEvent, SlaRule
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.run_events import load_events
from sparkscore.store.table import Table


def check_sla(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime | None = None, now: datetime | None = None
) -> tuple[SlaRule, ...]:
    """The rules of `sla_rules` for one as_of, else for the newest published one; before them every run that is missing.

    `now` judges what is late.

    Jobs:    one small one.
    Raises:  ConfigError where the config promises nothing, ForeignTable.
    """
    if not settings.sla.promised:
        raise ConfigError("no promise in sla", "one rule at least, sla.published_within_hours for example", "set it")
    session = create_run_session(spark)
    target = Table.from_name(session, settings.output.table, home=settings.home_uri)
    found = load_events(target.sibling("_runs"), job=settings.job)
    wanted = None if as_of is None else parse_as_of(as_of)
    missed = sla_rules.missed_run_rules(found, settings.sla, now=now or datetime.now(UTC), as_of=wanted)
    if not found and wanted is None:
        missed = (SlaRule("runs", False, "no run was ever started", "one at least"),)
    source = Table.from_name(session, settings.source.table, home=settings.home_uri)
    return (*missed, *load_sla_rules(source, settings, _published_events(found, wanted)))


def _published_events(found: Sequence[RunEvent], wanted: datetime | None) -> list[RunEvent]:
    """The events of the as_of that is asked for, or of the newest published one; none where it is not published."""
    published = [event.as_of for event in found if event.event == "published"]
    as_of = max(published, default=None) if wanted is None else wanted
    return [event for event in found if event.as_of == as_of] if as_of in published else []
