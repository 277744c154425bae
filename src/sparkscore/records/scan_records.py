"""The files of a snapshot, cut into splits, and what reads them on executors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

SplitPosition = tuple[int, int]
"""A position in a split: the index of a range, and how many of that range's rows lie before it, filtered ones too. The
end of a range is written as row 0 of the next one."""

FileSpan = tuple[int, int, int, int]
"""Rows of one block of a data file, as Spark reads it at once: a hash of the file's path, where the block begins, the
first row and the row after the last one, counted from the block's first row that meets the filter."""


@dataclass(frozen=True, slots=True)
class SplitPart:
    """The rows of a split from one position to another; by default all of them."""

    split: int
    first: SplitPosition = (0, 0)
    last: SplitPosition | None = None
    """None: the split's end."""
    share: float = 1.0
    """How much of its split's work it is, about."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file of a stage that a task wrote; in no table until the driver commits it. Pickled from tasks."""

    path: str
    """In the stage's folder."""
    rows: int
    rejected: int
    bytes: int
    ascending: bool
    """The leading key of each row is greater than that of the row before."""
    first: Any = None
    """The least leading key, a native value; None where the keys do not ascend."""
    last: Any = None
    """The greatest leading key, likewise."""


@dataclass(frozen=True, slots=True)
class ChallengerPart:
    """What a task reports of a challenger that has scored the rows of a part beside the champion."""

    number: int
    """Among the challengers that the task got."""
    files: tuple[StagedFile, ...] = ()
    seconds: float = 0.0
    """How long it took, without its load."""
    error: Mapping[str, Any] | None = None
    """Why it was given up, as `SparkscoreError.to_dict` has it; None: all rows of the part are in its files."""
    counts: str | None = None
    """What its workers counted, where that travels with the rows."""


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """What a task reports of a part: how far it came, and the files that it wrote."""

    split: int
    first: SplitPosition
    last: SplitPosition
    ranges: int
    """How many ranges the split has: `(ranges, 0)` is its end."""
    files: tuple[StagedFile, ...] = ()
    share: float = 1.0
    """As in `SplitPart`, of what was scored."""
    seconds: float = 0.0
    """How long that took, without the model's load."""
    layout: tuple[int, int] | None = None
    """Where it ends inside a range: the range's rows, and those of a batch."""
    rows_read: int = 0
    """Of the source: those that meet the filter."""
    read_s: float = 0.0
    """Seconds in which it was read; only where challengers have scored it, too."""
    challengers: tuple[ChallengerPart, ...] = ()
    """What became of it for each challenger."""
    spans: tuple[FileSpan, ...] = ()
    """Where Spark reads the rows: which ones; `split` is the task then, and positions mean nothing."""
    is_cut: bool = False
    """Where Spark reads the rows: the task has left some of its rows to later ones."""

    @property
    def is_whole_split(self) -> bool:
        """Whether it is all of its split."""
        return self.first == (0, 0) and self.last == (self.ranges, 0)


class PartRows(Protocol):
    """The rows of a part of a split, batch by batch, and how far the reading has come."""

    ranges: int
    position: SplitPosition
    """After the last row that was read."""
    layout: tuple[int, int]
    """Rows of the range that is being read, and of its batches."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows that meet the filter. Once."""

    @property
    def share_read(self) -> float:
        """How much of the part was read, 0 to 1, by the bytes of its ranges."""

    def sample_slices(self, share: float) -> Sequence[tuple[int, int]]:
        """Which rows of the last batch a reader of this share would have given: (first, how many).

        Needs:   a scan without a filter.
        """


class SplitReader(Protocol):
    """Reads the splits of a scan on executors. `ingest.split_reader` has it; pickled into every task."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        """The split's rows that meet the filter, as `ingest.snapshot` would give them."""

    def read_part(self, split: bytes, first: SplitPosition, last: SplitPosition | None) -> PartRows:
        """The same of a part of it. Parts that meet give each row once."""

    def range_lengths(self, split: bytes) -> tuple[int, ...]:
        """The bytes of each of its ranges."""

    def describe(self, split: bytes) -> str:
        """The split in words: its files and ranges."""

    def with_share(self, share: float) -> "SplitReader":
        """Reads a share of each row group, from its beginning: the same rows each time."""


@dataclass(frozen=True, slots=True)
class FileScan:
    """The data files of a snapshot, cut into balanced splits. `ingest.file_listing` makes it."""

    splits: tuple[bytes, ...]
    """Each names ranges of files; only `read` understands them."""
    reader: SplitReader
    files: int
    bytes: int
    """Size of the files on disk."""
    target: int
    """Bytes that a split holds, about: the same listing with the same target gives the same splits."""
    plan: str
    """sha256 over what each split names: equal plans number the same splits alike."""
    pruned: int = 0
    """Files that the filter leaves out, by their partition values and statistics."""
    rows: int | None = None
    """How many rows the files have by the log, those that the filter leaves out among them; None: it does not say."""
    columns: tuple[str, ...] = ()
    """What is read of each row."""
