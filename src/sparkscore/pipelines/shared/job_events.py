"""The run events of a job as monitoring asks for them: who ran when, and the whole of some as_ofs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sparkscore.lifecycle import find_scoring_publications, select_run_events
from sparkscore.records import PublicationKey, RunEvent, RunIndex
from sparkscore.store.run_events import (
    EventChoice,
    load_chosen_events,
    load_event_heads,
    load_events,
    load_run_index,
)
from sparkscore.store.table import Table


@dataclass(frozen=True, slots=True)
class JobEvents:
    """What is read does not grow with the details of all runs that a job ever had."""

    table: Table
    job: str
    index: RunIndex

    @classmethod
    def open(cls, table: Table, *, job: str) -> "JobEvents":
        """The events that are there now; empty without a table.

        Jobs:    none, or one small one where only Spark reaches the table.
        Raises:  ForeignTable.
        """
        return cls(table, job, load_run_index(table, job=job))

    def load_as_ofs(self, as_ofs: Collection[datetime]) -> list[RunEvent]:
        """All events of these as_ofs, oldest first.

        Jobs:    as `open`; none for no as_ofs.
        """
        return load_events(self.table, job=self.job, as_ofs=as_ofs) if as_ofs else []

    def load_newest(self, count: int, choose: EventChoice | None = None) -> list[RunEvent]:
        """All events of the so many greatest as_ofs, oldest first, or those that `choose` returns of them.

        Jobs:    as `load_as_ofs`.
        """
        as_ofs = self.index.as_ofs[-count:]
        if choose is None or not as_ofs:
            return self.load_as_ofs(as_ofs)
        return load_chosen_events(self.table, job=self.job, as_ofs=as_ofs, choose=choose)

    def load_scoring_publications(self, keys: Sequence[PublicationKey]) -> list[RunEvent]:
        """The publications that scored what these show: `lifecycle.find_scoring_publications`, within their as_ofs.

        Jobs:    as `load_as_ofs`.
        """
        events = self.load_as_ofs({key.as_of for key in keys})
        published = {event.run_id: event for event in events if event.event == "published"}
        return find_scoring_publications(events, [published[key.run_id] for key in keys if key.run_id in published])


def load_named_run(table: Table, *, job: str, run: str) -> list[RunEvent]:
    """The events of the run that its run_id, or the beginning of it, names, oldest first.

    Jobs:    none, or two small ones where only Spark reaches the table.
    Raises:  ConfigError if there is no such run, ForeignTable.
    """
    heads = select_run_events(load_event_heads(table, job=job), run)
    return select_run_events(load_events(table, job=job, as_ofs={head.as_of for head in heads}), run)
