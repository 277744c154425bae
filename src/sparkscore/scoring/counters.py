"""Counts the work of the workers; Spark adds it up, or over Connect the driver, of what comes with the rows."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import DataFrame, SparkSession

from sparkscore.model.host.host_client import host_cpu_seconds
from sparkscore.model.host.resident_model import task_gpu_address
from sparkscore.scoring.gpu_usage import read_gpu_usage
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN, TravellingSums, add_up_counts
from sparkscore.spark.session_kind import is_connect_session

_BUCKET_RATIO = 1.1
"""Ratio of one bound of a batch's seconds to the next: percentiles are off by at most a tenth."""
_BATCH_BUCKET_PREFIX = "batch_s_up_to:"
_CHOSEN_ROWS_PREFIX = "batch_rows_of:"
_MODEL_COUNT_PREFIX = "model_count:"
"""The model's own counts stand apart from ours, whatever their names are."""


class Counters:
    """Rows, batches, loads and seconds so far. A task that is tried again counts again.

    `travels`: what tasks count comes back with their rows, as over Connect: another engine knows no accumulators.
    """

    def __init__(self, spark: SparkSession, *, travels: bool = False) -> None:
        self._sums: Accumulator[dict[str, float]] | TravellingSums = (
            TravellingSums()
            if travels or is_connect_session(spark)
            else spark.sparkContext.accumulator({}, _CounterSumParam())
        )

    def add_batch(self, rows: int, seconds: float) -> None:
        """Count rows that the model has predicted, and the seconds that it took. Runs on: executor."""
        bucket = math.ceil(math.log(max(seconds, 1e-6), _BUCKET_RATIO))
        self._sums.add({"rows": rows, "batches": 1, f"{_BATCH_BUCKET_PREFIX}{bucket}": 1})

    def add_repeat(self, rows: int, unstable: int) -> None:
        """Count rows that were predicted twice more, and those that differed. Runs on: executor."""
        self._sums.add({"repeated_rows": rows, "unstable_rows": unstable})

    def add_halved_batch(self) -> None:
        """Count that memory ran out, and batches became half as large. Runs on: executor."""
        self._sums.add({"batches_halved": 1})

    def add_chosen_rows(self, rows: int | None) -> None:
        """Count the rows that a task had found to be best for a batch; None: it had found none. Runs on: executor."""
        if rows is not None:
            self._sums.add({f"{_CHOSEN_ROWS_PREFIX}{rows}": 1})

    def add_model_counts(self, counts: Mapping[str, float]) -> None:
        """Add up what the model itself has counted. Runs on: executor."""
        self._sums.add({f"{_MODEL_COUNT_PREFIX}{name}": value for name, value in counts.items()})

    def add_task_end_error(self) -> None:
        """Count that the model failed when it was told that a task ends. Runs on: executor."""
        self._sums.add({"end_task_errors": 1})

    def add_load(self, seconds: float) -> None:
        """Count a load of the model. Runs on: executor."""
        self._sums.add({"loads": 1, "load_s": seconds})

    def add_evictions(self, models: int) -> None:
        """Count models that a worker has dropped for others. Runs on: executor."""
        self._sums.add({"evictions": models})

    @contextmanager
    def measure_task(self) -> Iterator[None]:
        """A block whose seconds of the CPU, and of the task's GPU, are counted. Runs on: executor."""
        cpu, wall, gpu = _cpu_s(), time.monotonic(), task_gpu_address()
        try:
            yield
        finally:
            self._sums.add({"cpu_s": _cpu_s() - cpu})
            if gpu is not None:
                self._sums.add({"gpu_s": time.monotonic() - wall, **read_gpu_usage(gpu)})

    @property
    def is_travelling(self) -> bool:
        """Whether tasks have to return their counts with their rows."""
        return isinstance(self._sums, TravellingSums)

    def take_travelling(self) -> str | None:
        """The counts of this process that travel with its rows, once. Runs on: executor."""
        return self._sums.take_text() if isinstance(self._sums, TravellingSums) else None

    def add_travelled(self, text: str) -> None:
        """Add what `take_travelling` has told of a task."""
        self._sums.add(json.loads(text))

    def observe_travelling(self, frame: DataFrame, column: str = COUNTS_COLUMN) -> DataFrame:
        """The frame, whose counts are added when it is computed; the same where none travel."""
        return self._sums.observe(frame, column) if isinstance(self._sums, TravellingSums) else frame

    @property
    def rows(self) -> int:
        """Rows that the model has predicted so far."""
        return int(self._sums.value.get("rows", 0))

    def add_filled_values(self, values: int) -> None:
        """Count missing values of inputs that were replaced. Runs on: executor."""
        self._sums.add({"filled_values": values})

    @property
    def repeated_rows(self) -> tuple[int, int]:
        """How many rows were predicted twice more so far, and how many of them got another prediction."""
        return int(self._sums.value.get("repeated_rows", 0)), int(self._sums.value.get("unstable_rows", 0))

    @property
    def usage(self) -> Mapping[str, float]:
        """What `scoring.budgets` may limit: rows, batches, loads, seconds of the CPU and of GPUs, and what the model
        itself has counted, so far. A name that the model uses, too, is the model's."""
        own = {name: value for name, value in self._sums.value.items() if ":" not in name}
        return {"rows": 0, "batches": 0, "cpu_s": 0, "gpu_s": 0, "loads": 0, **own, **self.model_counts}

    @property
    def loads(self) -> int:
        """How many times a process loaded the model so far."""
        return int(self._sums.value.get("loads", 0))

    @property
    def task_end_errors(self) -> int:
        """How often the model failed so far when it was told that a task ends."""
        return int(self._sums.value.get("end_task_errors", 0))

    @property
    def model_counts(self) -> Mapping[str, float]:
        """What the model itself has counted so far, by its names, in their order; whole numbers stay whole."""
        sums = self._sums.value
        found = {name.removeprefix(_MODEL_COUNT_PREFIX): name for name in sums if name.startswith(_MODEL_COUNT_PREFIX)}
        values = {name: sums[found[name]] for name in sorted(found)}
        return {name: value if isinstance(value, int) else round(value, 6) for name, value in values.items()}

    def to_dict(self) -> Mapping[str, float]:
        """Rows, batches, loads, load_s, cpu_s, and batch_p50_s, batch_p99_s, the seconds of a batch; repeated_rows,
        which were predicted twice more, and unstable_rows, of which that gave another prediction; where tasks have a
        GPU gpu_s, and the greatest gpu_memory_bytes and gpu_use (0 to 1) that were seen. `cpu_s` is of the workers and
        of the model processes beside them (residency executor). `batch_rows`: the size of batches that most tasks had
        found to be best, or less; batch_rows_min and batch_rows_max, the least and the greatest; batches_halved, how
        often memory ran out. With one model per group `evictions`, how often a worker dropped a model for another.
        `end_task_errors`: how often the model failed when it was told that a task ends.
        """
        sums = self._sums.value
        prefixes = (_BATCH_BUCKET_PREFIX, _CHOSEN_ROWS_PREFIX, _MODEL_COUNT_PREFIX)
        totals = {name: round(value, 6) for name, value in sums.items() if not name.startswith(prefixes)}
        buckets, chosen = (_read_histogram(sums, prefix) for prefix in (_BATCH_BUCKET_PREFIX, _CHOSEN_ROWS_PREFIX))
        if buckets:
            totals |= {
                "batch_p50_s": _bucket_bound(_histogram_percentile(buckets, 0.5)),
                "batch_p99_s": _bucket_bound(_histogram_percentile(buckets, 0.99)),
            }
        if chosen:
            middle = _histogram_percentile(chosen, 0.5)
            totals |= {"batch_rows": middle, "batch_rows_min": chosen[0][0], "batch_rows_max": chosen[-1][0]}
        return totals


def _cpu_s() -> float:
    """Seconds of the CPU of this process, and of model processes that reported theirs to it."""
    return time.process_time() + host_cpu_seconds()


def _read_histogram(sums: Mapping[str, float], prefix: str) -> list[tuple[int, float]]:
    """The counts of the names that begin so: the number that follows, and how many there are; ascending."""
    return sorted((int(name.removeprefix(prefix)), count) for name, count in sums.items() if name.startswith(prefix))


def _histogram_percentile(counts: list[tuple[int, float]], share: float) -> int:
    """The value that at least this share is within."""
    below = np.cumsum([count for _, count in counts])
    return counts[int(np.searchsorted(below, share * below[-1]))][0]


def _bucket_bound(bucket: int) -> float:
    return float(f"{_BUCKET_RATIO**bucket:.3g}")


class _CounterSumParam(AccumulatorParam[dict[str, float]]):
    def zero(self, value: dict[str, float]) -> dict[str, float]:
        return {}

    def addInPlace(self, value1: dict[str, float], value2: dict[str, float]) -> dict[str, float]:  # noqa: N802  Spark's
        return add_up_counts(value1, value2)
