"""Exports: what is copied, where it stands at the target, and how it ended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import pyarrow as pa

ExportStatus = Literal["exported", "superseded", "failed"]
"""`superseded`: the target holds a later revision, which another process has exported."""


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The publication whose rows are copied."""

    job: str
    """The name that the job had at first: a rename leaves it the owner of its targets."""
    as_of: datetime
    run_id: str
    revision: int
    rows: int
    keys: tuple[str, ...]
    has_marks: bool = False
    """Rows of the run say that the source no longer has a key, and are no predictions."""


@dataclass(frozen=True, slots=True)
class ExportRows:
    """The visible rows of a publication, batch by batch, in bounded memory."""

    schema: pa.Schema
    open_batches: Callable[[], Iterator[pa.RecordBatch]]
    """A new pass over all of them."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """Which run's rows a target holds for an as_of."""

    run_id: str
    revision: int

    def covers(self, run: ExportedRun) -> bool:
        """Whether a run has nothing to do there: its rows are there, or those of a later revision."""
        return self.run_id == run.run_id or self.revision > run.revision


class ExportTarget(Protocol):
    """A place that takes copies. Each as_of is replaced as a whole and at once, and never by an older revision."""

    @property
    def description(self) -> str:
        """The target, without secrets."""

    def find_owner(self) -> str | None:
        """The job whose target it is; None where it is nobody's yet.

        Raises:  ExportFailed where it cannot be asked.
        """

    def check_columns(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """Refuse columns that the target cannot take. Asks nobody outside.

        Raises:  ConfigError.
        """

    def replace_rows(self, run: ExportedRun, rows: ExportRows) -> TargetState:
        """Make the rows those of the as_of; what the target holds for it then, which may be a later revision.

        Raises:  ExportFailed, ConfigError; the target is then as it was.
        """


@dataclass(frozen=True, slots=True)
class ReportedExport:
    """One export of a publication, as results and run events hold it."""

    name: str
    """As the config names it."""
    format: str
    """Of the files, or the database."""
    target: str
    """The folder, or the database and its table, without secrets."""
    status: ExportStatus
    """How it ended."""
    rows: int | None = None
    """Rows that the target holds for the as_of; None where it failed."""
    seconds: float = 0.0
    """How long it took."""
    error: str | None = None
    """Why it failed, without secrets."""
