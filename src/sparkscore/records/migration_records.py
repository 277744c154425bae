"""The request for a migration, and its result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json


@dataclass(frozen=True, slots=True)
class MigrationRequest:
    """What is to be changed besides the schema version."""

    job: str
    """The job that owns the tables, afterwards."""
    rename_from: str | None = None
    """The job that owns them until then."""
    drop_columns: tuple[str, ...] = ()
    """Columns of the prediction table that the job does not write any more."""
    widen: Mapping[str, str] = field(default_factory=dict)
    """Wider types, by the column of the prediction table, or the field of one."""


@dataclass(frozen=True, slots=True)
class TableMigration:
    """What one commit changed in one table."""

    table: str
    """Name of the table."""
    schema_before: int
    """The schema version that it had."""
    schema_after: int
    """The schema version that it has."""
    added: tuple[str, ...] = ()
    """Columns that were added, with their types."""
    dropped: tuple[str, ...] = ()
    """Columns that were dropped, with their values."""
    widened: tuple[str, ...] = ()
    """Columns with a wider type, and that type."""
    renamed_from: str | None = None
    """The job that owned it; None if that did not change."""

    @property
    def is_rewrite(self) -> bool:
        """Whether all rows are written anew."""
        return bool(self.dropped or self.widened)

    @property
    def is_needed(self) -> bool:
        """Whether there is something to commit."""
        changed = self.schema_before != self.schema_after or self.renamed_from is not None
        return changed or bool(self.added) or self.is_rewrite


MigrationStatus = Literal["migrated", "nothing_to_do", "dry_run", "failed"]
"""How a migration ended."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """The result of `migrate`: the JSON line on stdout. After a dry run, what would be done."""

    job: str
    """Name of the job."""
    status: MigrationStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process."""
    table: str | None = None
    """The prediction table."""
    tables: tuple[TableMigration, ...] = ()
    """The tables that were changed, in the order of their commits."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the call."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds in `total`."""
    error: ErrorSummary | None = None
    """Why the call failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
