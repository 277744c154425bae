"""What monitoring finds about a run, and the protocol that shows the progress of a run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol


class ProgressReporter(Protocol):
    """Shows the progress of a long part of a run."""

    def __call__(self, part: str, *, total: int, done: Callable[[], int]) -> AbstractContextManager[None]:
        """A block in which `done()` of `total` rows are shown.

        With a filter nobody knows before how many rows it leaves: `total` is then the most that there may be.
        """


QUANTILE_LEVELS: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the quantiles that a profile holds."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a column holds in one slice of a run. Profiles of several runs merge: `monitor.column_profiles`."""

    column: str
    log_type: Literal["input", "prediction"]
    data_type: str
    """As Spark writes it: `double`."""
    count: int
    """Rows looked at, with a value or not."""
    nulls: int
    nans: int
    slice_key: str | None = None
    """The column that the slice is cut by; None: all rows."""
    slice_value: str | None = None
    min: float | None = None
    """Numbers as they are, booleans as 0 and 1, timestamps as seconds and dates as days since 1970; None for text."""
    max: float | None = None
    mean: float | None = None
    stddev: float | None = None
    """Standard deviation, of the population."""
    points: tuple[float, ...] = ()
    """Ascending values that stand for all: between neighbours lie as many rows as `weights` tell."""
    weights: tuple[float, ...] = ()
    """How many rows each point stands for; their sum is the number of values."""
    distinct: float | None = None
    """How many different values there are: exact while few, else estimated from `hashes`."""
    hashes: tuple[int, ...] = ()
    """The smallest hashes of the values, ascending."""
    top: tuple[tuple[str, int], ...] = ()
    """The most frequent values and how many rows have them; of text and of integers with few values."""
    share: float = 1.0
    """Of the rows of the run, how many were looked at."""

    @property
    def values(self) -> int:
        """Rows with a value: neither NULL nor NaN."""
        return self.count - self.nulls - self.nans

    def quantile(self, level: float) -> float | None:
        """The value that a share of `level` of the values is at most."""
        target, below = level * sum(self.weights), 0.0
        for point, weight in zip(self.points, self.weights, strict=True):
            below += weight
            if below >= target:
                return point
        return self.points[-1] if self.points else None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column of one slice is from what it is compared with: distances, never p-values."""

    column: str
    """The column that is described."""
    log_type: Literal["input", "prediction"]
    """`input` or `prediction`."""
    drift_type: Literal["BASELINE", "CONSECUTIVE"]
    """Against the baseline of the config, or against the run before."""
    against: str
    """What it is compared with, in words: `training data of flight-delay version 1`, `run 1f0c9a2b of 2013-12-30`."""
    count: int
    """Rows of this side."""
    count_cmp: int
    """Rows of the other side."""
    slice_key: str | None = None
    """The column by which rows are told apart; None: all rows."""
    slice_value: str | None = None
    """Its value in these rows."""
    psi: float | None = None
    """Population stability index. None, like the others, where the column's kind has no such distance."""
    jensen_shannon: float | None = None
    """Jensen-Shannon distance, base 2, 0 to 1."""
    kolmogorov_smirnov: float | None = None
    """Kolmogorov-Smirnov distance of numbers, 0 to 1."""
    wasserstein: float | None = None
    """In standard deviations of what it is compared with."""
    cramers_v: float | None = None
    """Of the chi-squared statistic: 0 to 1, whatever the number of rows."""
    drifted: bool = False
    """A distance is above its threshold, with rows enough to tell."""
    note: str = ""
    """Why no verdict was given, or which distance is above which threshold."""
    bins: tuple[str, ...] = ()
    """In words: `0.1 to 0.25`, `AA`, `NULL`, `NaN`, `unseen`."""
    shares: tuple[float, ...] = ()
    """Of rows in each bin, now."""
    shares_cmp: tuple[float, ...] = ()
    """Of the other side's rows in each bin."""


@dataclass(frozen=True, slots=True)
class SlaRule:
    """One rule of `sla` about a run, and whether the run kept it."""

    rule: str
    kept: bool
    observed: str
    expected: str


@dataclass(frozen=True, slots=True)
class OmittedSlices:
    """Rows of a segment that are in no slice: those of the values that are less frequent than the profiled ones."""

    segment: str
    log_type: Literal["input", "prediction"]
    rows: int
    count: int
    """Rows looked at, in a slice or not."""
