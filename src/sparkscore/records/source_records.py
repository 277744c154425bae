"""A source at its pinned version, and the filter of its rows."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from sparkscore.records.feature_records import RowsOrigin
from sparkscore.records.table_records import TableRef

FilterOperator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One typed comparison of a source column; conditions of a filter are joined by AND."""

    column: str
    op: FilterOperator
    value: Any = None
    sensitive: bool = False
    """Whether its value is sensitive: it is shown nowhere."""
    yaml_texts: tuple[str | None, ...] = field(default=(), compare=False)
    """For each value, how it was written where YAML has not read it as text; empty: it does not come from YAML."""

    @property
    def description(self) -> str:
        """For people: `month >= 10`."""
        value = "***" if self.sensitive and self.value is not None else self.value
        return f"{self.column} {self.op} {'' if value is None else value}".strip()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source table at one pinned version: what a run reads. `ingest.snapshot` turns it into rows."""

    table: TableRef
    table_id: str
    version: int
    schema: pa.Schema
    """All columns of the table at that version."""
    columns: tuple[str, ...]
    """The columns that the run reads: keys, model inputs, pass-through."""
    keys: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    origin: RowsOrigin | None = None
    """From what the rows of this table were made, which the run pins in its place; None: this table is the source."""
