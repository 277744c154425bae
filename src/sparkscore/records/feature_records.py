"""Features that are joined to rows as of the rows' times: what is joined, and what was found."""

from dataclasses import dataclass

from sparkscore.records.run_records import PinnedTable

ROW_FLAGS_COLUMN = "_sparkscore_features"
"""Beside the joined rows: of each feature table two bits."""
FLAG_BITS = 2
FLAG_MATCHED, FLAG_AMBIGUOUS = 1, 2
"""Of one table: the row got a value; there were several of its time, and nothing says which one it is."""


@dataclass(frozen=True, slots=True)
class FeatureJoin:
    """What the rows get of one feature table: for each row the last value that was known at the row's time."""

    table: str
    """As the config names it."""
    keys: tuple[tuple[str, str], ...]
    """Columns of the rows, each with the column of the feature table that must equal it."""
    time: str
    """The column with the time from which a value holds: its event time."""
    columns: tuple[tuple[str, str], ...]
    """The names that the rows get, each with its column of the feature table."""
    known_at: str | None = None
    """The column with the time at which a value was written: before it nobody knew the value."""
    ttl_us: int | None = None
    """How old a value may be, in microseconds; None: as old as it is."""
    timezone: str | None = None
    """The zone of times that have none."""

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns of the feature table that the join reads."""
        known = () if self.known_at is None else (self.known_at,)
        names = (*(column for _, column in self.keys), self.time, *known, *(column for _, column in self.columns))
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class RowTimes:
    """The times of the rows: before them a feature must have been known."""

    column: str | None = None
    """The column of the rows that holds their event times; None: all rows have the same one."""
    timezone: str | None = None
    """The zone of event times that have none."""
    as_of_us: int = 0
    """Microseconds since 1970 in UTC: the time of all rows, where no column holds it."""


@dataclass(frozen=True, slots=True)
class RowsOrigin:
    """From what the rows of a snapshot were made: this is what the run pins, and never the copy that it reads."""

    source: PinnedTable
    features: tuple[PinnedTable, ...] = ()
    """In the order of the config."""


@dataclass(frozen=True, slots=True)
class ReportedFeatures:
    """What was joined of one feature table."""

    table: str
    """As the config names it."""
    version: int
    """The version that was read."""
    rows_matched: int | None = None
    """Rows that got a value; None where they were not joined yet."""
    share: float | None = None
    """`rows_matched` of all rows; None where there is no row."""
