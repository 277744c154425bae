"""Notices a model that is not deterministic: a few rows of a run are predicted twice more. Runs on executors."""

import math
from collections.abc import Sequence

import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import Scorer

_TOLERANCE = 1e-6
"""What one call may differ from the other, relatively: sums of several threads have no order."""
_repeated_for: list[str] = []
"""The attempt for which this process has repeated rows: at most one entry."""


def should_repeat_rows(model: ShippedModel) -> bool:
    """Whether this task repeats rows: one of the first partition, once per attempt and process. True once.

    Runs on: executor.
    """
    if not model.repeat_rows or _repeated_for == [model.secret]:
        return False
    from pyspark import TaskContext  # here: the kernel needs no Spark

    task = TaskContext.get()
    if task is None or task.partitionId() != 0:
        return False
    _repeated_for[:] = [model.secret]
    return True


def count_unstable_rows(score: Scorer, columns: Sequence[pa.Array]) -> int | None:
    """How many rows get another prediction from one of two equal calls; None where the model fails on them.

    Runs on: executor.
    """
    try:
        first, second = (score(columns).predictions.to_pylist() for _ in range(2))
    except Exception:  # noqa: BLE001  the rows have their predictions, whatever it is
        return None
    return sum(not is_same_prediction(*both) for both in zip(first, second, strict=True))


def is_same_prediction(one: object, other: object) -> bool:
    """Whether two predictions are equal, up to rounding; NaN equals NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same_prediction(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same_prediction, one, other))
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE * _TOLERANCE)
    return one == other
