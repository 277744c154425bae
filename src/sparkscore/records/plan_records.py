"""What a run is going to cost: how many rows it reads, and how long past runs took for theirs."""

from dataclasses import dataclass
from typing import Literal

RowsKnown = Literal["exactly", "at_most", "unknown"]
"""`at_most`: a filter may leave rows out, and only the scan counts those that it keeps."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """What an earlier publication took."""

    transport: str
    model_digest: str
    rows: int
    seconds: float
    """From the start of its attempt to its publication, without the start of Spark."""
    cores: int
    gpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """How long a run is likely to take, and what it costs: the median of past runs, row by row and core by core."""

    seconds: float
    """From the start of the attempt to the publication."""
    least_seconds: float
    """As the fastest of these past runs."""
    most_seconds: float
    """As the slowest of them."""
    core_hours: float
    """Cores that are held, for so long."""
    cost: float | None
    """In the currency of `monitor.price_core_hour` and `monitor.price_gpu_hour`; None where neither is set."""
    past_runs: int
    """How many past runs it is made of."""
    same_model: bool
    """They scored with the same model version's files."""


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """The size of a run that a plan shows."""

    rows: int | None
    """Rows of the source that are read."""
    rows_known: RowsKnown
    """How certain that number is."""
    splits: int | None
    """Parts of the source that tasks read one after the other; None where Spark decides it when it reads."""
    cores: int
    """Tasks that run at once."""
    estimate: RunEstimate | None
    """None where no past run has used the same transport, or the rows are unknown."""
