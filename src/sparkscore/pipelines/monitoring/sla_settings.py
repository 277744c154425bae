"""The rules of `sla_rules` for a published as_of: `score` and `check_sla` judge alike."""

from collections.abc import Sequence

from sparkscore.monitor import sla_rules
from sparkscore.records import RunEvent, SlaRule
from sparkscore.settings import Settings
from sparkscore.store.table import Table


def load_sla_rules(source: Table, settings: Settings, events: Sequence[RunEvent]) -> tuple[SlaRule, ...]:
    """The rules that the first publication of an as_of keeps or breaks; none if there is no publication.

    Needs:   all `events` of the as_of, oldest first.
    Jobs:    none; reads the source's history if a rule limits its age.
    """
    first = next((event for event in events if event.event == "published"), None)
    if first is None:
        return ()
    source_at = None
    is_there = not settings.source.is_landed or source.exists()
    if settings.sla.source_age_hours is not None and first.pins is not None and is_there:
        source_at = source.find_commit_time(first.pins.source_version)
    return sla_rules.publication_sla_rules(events, settings.sla, source_committed_at=source_at)
