"""What tasks compute of the rows that they read and write, beside the scoring: gates' measures and profiles."""

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


class RowSummaryState(Protocol):
    """What one part of the rows adds to a summary. Lives in one task. Runs on executors."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows into account. The batch may have further columns."""

    def to_bytes(self) -> bytes:
        """All that was added; not empty. The owner of the summary merges the bytes of all parts, in any order."""


class RowSummary(Protocol):
    """A summary of rows in parts that merge. Made on the driver, pickled into each task: imports only what tasks have.

    A part's state counts where the part's rows do: a task that fails, or runs twice, adds its rows once.
    """

    @property
    def name(self) -> str:
        """`input_gate`, `output_gate`, `stage_integrity`, `input_profile`, `prediction_profile`."""

    @property
    def fingerprint(self) -> str:
        """Equal summaries have equal ones: the state of another suite or threshold is never used. Letters, digits."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the batches that it reads."""

    def start(self) -> RowSummaryState:
        """A state without rows. Runs on: executor."""


@dataclass(frozen=True, slots=True)
class SampledSummary:
    """A summary of a share of the rows: of each row group from its beginning, as `SplitReader.with_share` reads it."""

    summary: RowSummary
    share: float = 1.0

    @property
    def fingerprint(self) -> str:
        """Of the summary, and of the share where it is one."""
        return self.summary.fingerprint if self.share >= 1 else f"{self.summary.fingerprint}/{self.share!r}"


@dataclass(frozen=True, slots=True)
class PassSummaries:
    """What is summarised in the one pass that scores."""

    source: tuple[SampledSummary, ...] = ()
    """Of the rows that are read, by the source's column names."""
    staged: tuple[RowSummary, ...] = ()
    """Of the rows that are written, by the stage's, rejected rows among them."""

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns of the source that must be read for them."""
        return tuple(dict.fromkeys(name for one in self.source for name in one.summary.columns))
