"""The promises about a job, held against its run events: also about the run that never started."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.monitor import sla
from sparkscore.pipelines.attempt import parsed_as_of
from sparkscore.pipelines.promises import rules_of
from sparkscore.records import RunEvent, SlaRule
from sparkscore.settings import Settings
from sparkscore.store.events import events
from sparkscore.store.isolation import run_session
from sparkscore.store.names import beside, table_ref


def check_sla(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime | None = None, now: datetime | None = None
) -> tuple[SlaRule, ...]:
    """The rules of `sla` for one as_of, else for the newest published one; before them every run that is missing.

    `now` judges what is late.

    Jobs:    one small one.
    Raises:  ConfigError where the config promises nothing, ForeignTable.
    """
    if not settings.sla.promised:
        raise ConfigError("no promise in sla", "one rule at least, sla.published_within_hours for example", "set it")
    session, target = run_session(spark), table_ref(settings.output.table, home=settings.home_uri)
    found = events(session, beside(target, "_runs"), job=settings.job)
    wanted = None if as_of is None else parsed_as_of(as_of)
    missed = sla.missed(found, settings.sla, now=now or datetime.now(UTC), as_of=wanted)
    if not found and wanted is None:
        missed = (SlaRule("runs", False, "no run was ever started", "one at least"),)
    return (*missed, *rules_of(session, settings, _published(found, wanted)))


def _published(found: Sequence[RunEvent], wanted: datetime | None) -> list[RunEvent]:
    """The events of the as_of that is asked for, or of the newest published one; none where it is not published."""
    published = [event.as_of for event in found if event.event == "published"]
    as_of = max(published, default=None) if wanted is None else wanted
    return [event for event in found if event.as_of == as_of] if as_of in published else []
