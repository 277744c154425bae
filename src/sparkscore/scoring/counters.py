"""Counts the work of the workers; Spark adds it up, or over Connect the driver, of what comes with the rows."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import DataFrame, SparkSession

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.host_client import host_cpu_seconds
from sparkscore.model.host.resident_model import get_resident_scorer, task_gpu_address
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.scoring.gpu_usage import read_gpu_usage
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN, TravellingSums, add_up_counts
from sparkscore.spark.session_kind import is_connect_session

_BUCKET_RATIO = 1.1
"""Ratio of one bound of a batch's seconds to the next: percentiles are off by at most a tenth."""
_BATCH_BUCKET_PREFIX = "batch_s_up_to:"


_model_wait = {"s": 0.0}


class Counters:
    """Rows, batches, loads and seconds so far. A task that is tried again counts again."""

    def __init__(self, spark: SparkSession) -> None:
        self._sums: Accumulator[dict[str, float]] | TravellingSums = (
            TravellingSums() if is_connect_session(spark) else spark.sparkContext.accumulator({}, _CounterSumParam())
        )

    def add_batch(self, rows: int, seconds: float) -> None:
        """Count rows that the model has predicted, and the seconds that it took. Runs on: executor."""
        bucket = math.ceil(math.log(max(seconds, 1e-6), _BUCKET_RATIO))
        self._sums.add({"rows": rows, "batches": 1, f"{_BATCH_BUCKET_PREFIX}{bucket}": 1})

    def add_repeat(self, rows: int, unstable: int) -> None:
        """Count rows that were predicted twice more, and those that differed. Runs on: executor."""
        self._sums.add({"repeated_rows": rows, "unstable_rows": unstable})

    def add_load(self, seconds: float) -> None:
        """Count a load of the model. Runs on: executor."""
        self._sums.add({"loads": 1, "load_s": seconds})

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
    def loads(self) -> int:
        """How many times a process loaded the model so far."""
        return int(self._sums.value.get("loads", 0))

    def to_dict(self) -> Mapping[str, float]:
        """Rows, batches, loads, load_s, cpu_s, and batch_p50_s, batch_p99_s, the seconds of a batch; repeated_rows,
        which were predicted twice more, and unstable_rows, of which that gave another prediction; where tasks have a
        GPU gpu_s, and the greatest gpu_memory_bytes and gpu_use (0 to 1) that were seen. `cpu_s` is of the workers and
        of the model processes beside them (residency executor).
        """
        sums = self._sums.value
        totals = {name: round(value, 6) for name, value in sums.items() if not name.startswith(_BATCH_BUCKET_PREFIX)}
        buckets = sorted(
            (int(name.removeprefix(_BATCH_BUCKET_PREFIX)), rows)
            for name, rows in sums.items()
            if name.startswith(_BATCH_BUCKET_PREFIX)
        )
        if buckets:
            totals |= {
                "batch_p50_s": _histogram_percentile(buckets, 0.5),
                "batch_p99_s": _histogram_percentile(buckets, 0.99),
            }
        return totals


def _cpu_s() -> float:
    """Seconds of the CPU of this process, and of model processes that reported theirs to it."""
    return time.process_time() + host_cpu_seconds()


def make_model_loader(model: ShippedModel, on_load: Callable[[float], None]) -> Callable[[], Scorer]:
    """What takes the resident model; `on_load` gets the seconds of a load. One in the middle of a batch, after the
    model's process has died, is part of that batch, and counts 0 seconds.

    Runs on: executor.
    """

    def load() -> Scorer:
        start: list[float] = [time.monotonic()]
        scorer = get_resident_scorer(model, lambda: on_load(time.monotonic() - start[0] if start else 0.0))
        _model_wait["s"] += time.monotonic() - start.pop()
        return scorer

    return load


def model_wait_s() -> float:
    """Seconds that this process has waited for models to be loaded, by any process.

    Runs on: executor.
    """
    return _model_wait["s"]


def _histogram_percentile(buckets: list[tuple[int, float]], share: float) -> float:
    """The bound that at least this share of the batches is within."""
    below = np.cumsum([rows for _, rows in buckets])
    bucket, _ = buckets[int(np.searchsorted(below, share * below[-1]))]
    return float(f"{_BUCKET_RATIO**bucket:.3g}")


class _CounterSumParam(AccumulatorParam[dict[str, float]]):
    def zero(self, value: dict[str, float]) -> dict[str, float]:
        return {}

    def addInPlace(self, value1: dict[str, float], value2: dict[str, float]) -> dict[str, float]:  # noqa: N802  Spark's
        return add_up_counts(value1, value2)
