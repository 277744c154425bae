"""`scoring.batch_rows: auto` against a full sweep of fixed sizes: the kernel alone, in one process, on one core.

    PYTHONPATH=src:ci python -m bench.batch_sizes [light heavy wide …]

Per model: the rows per second of each size, what `auto` chose, after how many batches, and how near it is to the best.
Sizes take turns, round after round, so that what else the machine does hits them alike; the best round of each counts.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import BatchLimits, ModelInput
from sparkscore.scoring.batch_climb import MAX_CLIMB_ROWS
from sparkscore.scoring.batch_memory import choose_batch_bytes
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.queue_time import read_queued_s

READ_ROWS = 20_000
READ_BYTES = 64 << 20
ROUNDS = 5
ROUND_S = 0.4


@dataclass(frozen=True, slots=True)
class Case:
    """A model, and the batches that a scan would read for it."""

    columns: int
    fit: Callable[[pd.DataFrame, np.ndarray], object]

    def build_kernel(self, sizer: BatchSizer, on_batch: Callable[[int, float], None]) -> Kernel:
        """What a worker scores with."""
        inputs = tuple(ModelInput(name, pa.float64(), True) for name in self.names)
        model = ShippedModel("0" * 64, "", "sklearn", inputs, False, pa.float64())
        score = build_local_scorer(model, lambda frame: self.fitted.predict_proba(frame)[:, 1])  # type: ignore[attr-defined]
        return Kernel(model, load=lambda: score, on_batch=on_batch, sizer=sizer)

    @property
    def names(self) -> list[str]:
        """Of its columns."""
        return [f"x{index}" for index in range(self.columns)]

    @property
    def fitted(self) -> object:
        """The model, trained once."""
        return _fitted(self)

    def read_batches(self) -> Iterator[pa.RecordBatch]:
        """The same batches again and again."""
        rows = min(READ_ROWS, READ_BYTES // (8 * self.columns))
        chance = np.random.default_rng(1)
        some = [
            pa.record_batch([pa.array(chance.normal(size=rows)) for _ in self.names], self.names)
            for _ in range(4 if rows == READ_ROWS else 1)
        ]
        while True:
            yield from some


CASES = {
    "light": Case(20, LogisticRegression().fit),
    "heavy": Case(20, MLPClassifier((256, 256), max_iter=3).fit),
    "trees": Case(20, RandomForestClassifier(100, max_depth=10).fit),
    "wide": Case(2_000, LogisticRegression(max_iter=20).fit),
}
_models: dict[int, object] = {}


def _fitted(case: Case) -> object:
    if id(case.fit) not in _models:
        chance = np.random.default_rng(0)
        values = chance.normal(size=(2_000, case.columns))
        _models[id(case.fit)] = case.fit(pd.DataFrame(values, columns=case.names), values[:, 0] > values[:, 1])
    return _models[id(case.fit)]


def score_for(case: Case, sizer: BatchSizer, seconds: float, *, until: Callable[[], bool] = lambda: False) -> list[int]:
    """Score for so long, or until something is so; the rows of each batch that the model got."""
    batches: list[int] = []
    kernel = case.build_kernel(sizer, lambda rows, _: batches.append(rows))
    end = time.monotonic() + seconds
    for group in sizer.group_batches(case.read_batches()):
        kernel.score_group(group)
        if time.monotonic() > end or until():
            return batches
    return batches


def measure_rate(case: Case, sizer: BatchSizer) -> float:
    """Rows per second, without the time in which others had the cores."""
    started, queued = time.monotonic(), read_queued_s()
    rows = sum(score_for(case, sizer, ROUND_S))
    return rows / (time.monotonic() - started - (read_queued_s() - queued))


def compare(name: str, case: Case) -> None:
    """Sweep, search, and tell."""
    widest = min(MAX_CLIMB_ROWS, READ_BYTES // (8 * case.columns))
    sizes = [1 << power for power in range(6, widest.bit_length())]
    _ = case.fitted
    score_for(case, BatchSizer(BatchLimits(rows=64)), 0.2)
    auto = BatchSizer(BatchLimits(), max_bytes=choose_batch_bytes(1))
    tried = score_for(case, auto, 600, until=lambda: auto.chosen_rows is not None)
    sizers = {size: BatchSizer(BatchLimits(rows=size)) for size in sizes} | {0: auto}
    rates: dict[int, list[float]] = {size: [] for size in sizers}
    for _ in range(ROUNDS):
        for size, sizer in sizers.items():
            rates[size].append(measure_rate(case, sizer))
    best = {size: max(of_size) for size, of_size in rates.items()}
    top = max(best[size] for size in sizes)
    lines = [f"{name}: {case.columns:,} columns, rows per second of each size"]
    lines += [f"  {size:>9,}  {best[size]:>14,.0f}  {best[size] / top:.2f}" for size in sizes]
    lines.append(
        f"  auto: {auto.chosen_rows:,} rows after {len(tried)} batches ({sum(tried):,} rows),"
        f" {best[0]:,.0f} rows per second, {best[0] / top:.2f} of the best; load {os.getloadavg()[0]:.1f}"
    )
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def main(names: Sequence[str]) -> None:
    """The cases of these names, or all."""
    with threadpool_limits(1):
        for name in names or CASES:
            compare(name, CASES[name])


if __name__ == "__main__":
    main(sys.argv[1:])
