"""Counts that travel with the rows of a job: Spark Connect has no accumulators."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame

MAX_COUNTERS = frozenset({"gpu_memory_bytes", "gpu_use"})
"""Of these the greatest counts, not the sum."""
COUNTS_COLUMN = "_sparkscore_counts"
"""NULL, but in one row of each task: its counts, as JSON."""

Item = TypeVar("Item")


def add_up_counts(sums: dict[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Add counts to sums, in place."""
    for name, value in more.items():
        before = sums.get(name, 0)
        sums[name] = max(before, value) if name in MAX_COUNTERS else before + value
    return sums


class TravellingSums:
    """Sums of this process. Pickled into a task it begins anew there: what a task has counted comes back with its rows.

    Has an accumulator's `add` and `value`.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._observed: list[Any] = []

    def __reduce__(self) -> tuple[type["TravellingSums"], tuple[()]]:
        return TravellingSums, ()

    def add(self, more: Mapping[str, float]) -> None:
        """Count more."""
        add_up_counts(self._sums, more)

    @property
    def value(self) -> dict[str, float]:
        """The sums so far, those of the frames that have been computed among them."""
        waiting = []
        for observation in self._observed:
            texts = _observed_texts(observation)
            if texts is None:
                waiting.append(observation)
            for text in texts or ():
                self.add(json.loads(text))
        self._observed = waiting
        return self._sums

    def take_text(self) -> str:
        """The sums of this process as text; from now on they begin anew. Runs on: executor."""
        text, self._sums = json.dumps(self._sums), {}
        return text

    def observe(self, frame: DataFrame, column: str) -> DataFrame:
        """The frame, whose counts are added when it is computed.

        Needs:   a column as `COUNTS_COLUMN`.
        Runs on: driver.
        """
        from pyspark.sql import Observation
        from pyspark.sql import functions as F

        observation = Observation()
        self._observed.append(observation)
        return frame.observe(observation, F.collect_list(column).alias("counts"))


def _observed_texts(observation: Any) -> list[str] | None:
    """What a frame's tasks have told; None where it was not computed yet."""
    from pyspark.errors import PySparkException

    try:
        texts: list[str] | None = observation.get.get("counts")
    except PySparkException:  # the server could not say: the rows are there all the same
        return []
    return texts


def mark_last(items: Iterator[Item]) -> Iterator[tuple[Item, bool]]:
    """The items, each with whether it is the last one: known when the one after it has been asked for."""
    last: list[Item] = []
    for item in items:
        if last:
            yield last.pop(), False
        last.append(item)
    if last:
        yield last.pop(), True


def append_counts(
    batches: Iterator[pa.RecordBatch], take_text: Callable[[], str | None], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The batches with the column of counts, which travel with the last one: when nothing is counted any more.

    `schema`: that of the batches and `COUNTS_COLUMN`.
    """
    for batch, is_last in mark_last(batches):
        counts = counts_array(take_text() if is_last else None, batch.num_rows)
        yield pa.record_batch([*batch.columns, counts], schema=schema)


def counts_array(text: str | None, rows: int) -> pa.Array:
    """The column of counts for a batch: in its first row.

    Needs:   a row.
    """
    return pa.array([text, *([None] * (rows - 1))], pa.string())
