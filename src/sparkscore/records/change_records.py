"""What a run scores of a source of which it reads the changes alone."""

from dataclasses import dataclass

from sparkscore.records.landing_records import LandedRows
from sparkscore.records.table_records import TableRef


@dataclass(frozen=True, slots=True)
class ChangeRange:
    """The versions of a source between two publications: its changes are those of the commits in (since, until]."""

    source_id: str
    since: int
    until: int

    @property
    def description(self) -> str:
        """For people."""
        return f"({self.since}, {self.until}]"


@dataclass(frozen=True, slots=True)
class LandedChanges:
    """The changed rows of a range, and the keys that are no longer there, each in a table of its own."""

    rows_table: TableRef
    rows: LandedRows
    changed: int
    """Rows that were inserted or updated, and are there."""
    deleted_table: TableRef
    deleted: int
    """Keys that had a row, and have none."""


@dataclass(frozen=True, slots=True)
class ReportedIncrement:
    """What a run with `source.read: changes` scored of its source."""

    since: int | None
    """The source version after which rows count as changed; None: all rows, a full run."""
    until: int
    """The source version that was read."""
    rows_changed: int | None = None
    """Rows that were inserted or updated; of a full run None."""
    rows_deleted: int | None = None
    """Keys that are no longer in the source; None where nobody looked for them (a full run with on_delete: keep)."""
    reason: str = ""
    """Why all rows are scored; empty for an increment."""
    on_delete: str = "keep"
    """What the run does about deleted keys: keep, mark or delete."""

    @property
    def rows_marked(self) -> int:
        """Rows of the publication that are no predictions, and say that the source no longer has their key."""
        return (self.rows_deleted or 0) if self.on_delete == "mark" else 0
