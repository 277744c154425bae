"""A source without versions, and what was landed of it: a copy of its rows in a Delta table, once per as_of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sparkscore.records.source_records import Condition
from sparkscore.records.table_records import TableRef

CORRUPT_COLUMN = "_corrupt_record"
"""The column of what is landed with the text of a record that does not have the columns; NULL for all others."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One batch of a stream: its number in a checkpoint, and the as_of that it is published for."""

    checkpoint: str
    """Id of the checkpoint that the number is counted in."""
    number: int
    """Spark's batch id."""
    as_of: datetime
    is_new: bool = field(default=True, compare=False)
    """No earlier attempt has begun with it."""


@dataclass(frozen=True, slots=True)
class UnversionedSource:
    """What is to be landed, and how Spark reads it."""

    format: str
    ref: TableRef
    """A folder or a file, a table of a database, or a view."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of Spark's reader; secrets among them."""
    declared: str | None = None
    """The columns and types as DDL; None: those that the pinned schema has."""
    where: tuple[Condition, ...] = ()
    digest: str = ""
    """sha256 over what decides which rows, of which types, are landed."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """The options that are no secret."""
    batch: Mapping[str, str] = field(default_factory=dict)
    """As of `LandedRows`; empty for a source that is no stream."""


@dataclass(frozen=True, slots=True)
class LandedRows:
    """One landing: the version of the as_of's table that holds the rows."""

    version: int
    digest: str
    number: int
    """How often these rows were landed for the as_of, this time included."""
    landed_at: datetime
    batch: Mapping[str, str] = field(default_factory=dict)
    """Of a micro-batch: its number, the checkpoint that counts it, and from where to where in the source it reaches."""
    found: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the writer has counted in them; empty where it has counted nothing."""
