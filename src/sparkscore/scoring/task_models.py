"""The models that a task uses: each is told when the task ends, and may tell counts then. Runs on executors."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.resident_model import get_resident_scorer
from sparkscore.model.runtimes.scorer import Scorer, find_task_end, summarise_model_error
from sparkscore.redaction.secret_patterns import redact_secrets


class ModelCounters(Protocol):
    """What counts the work of a model."""

    def add_load(self, seconds: float) -> None:
        """Count a load."""

    def add_model_counts(self, counts: Mapping[str, float]) -> None:
        """Add up what the model itself has counted."""

    def add_task_end_error(self) -> None:
        """Count that the model failed when it was told that a task ends."""


@dataclass(frozen=True, slots=True)
class _UsedModel:
    end_task: Callable[[], Mapping[str, float]]
    model: ShippedModel
    counters: ModelCounters


_model_wait = {"s": 0.0}
_used: dict[tuple[int, str, int], _UsedModel] = {}
"""What this worker's task has used of models that want to know of its end, by who counts, digest and process."""


def make_model_loader(model: ShippedModel, counters: ModelCounters) -> Callable[[], Scorer]:
    """What takes the resident model, counts its loads, and remembers that the task has used it. A load in the middle of
    a batch, after the model's process has died, is part of that batch, and counts 0 seconds.

    Runs on: executor.
    """

    def load() -> Scorer:
        start: list[float] = [time.monotonic()]
        scorer = get_resident_scorer(model, lambda: counters.add_load(time.monotonic() - start[0] if start else 0.0))
        _model_wait["s"] += time.monotonic() - start.pop()
        end_task = find_task_end(scorer)
        if end_task is not None:
            process = getattr(end_task, "__self__", None)  # another one where the first was dropped for other models
            _used[id(counters), model.digest, id(process)] = _UsedModel(end_task, model, counters)
        return scorer

    return load


def end_task_models(counters: ModelCounters | None = None) -> None:
    """Tell the models that the task has used that it ends, each once; `counters`: only those that these count.

    Their own counts are added. What one raises fails nothing: the task's rows have their predictions. It is counted,
    and stands in the worker's log.

    Runs on: executor.
    """
    for key in [key for key in _used if counters is None or key[0] == id(counters)]:
        used = _used.pop(key)
        try:
            counts = used.end_task()
        except Exception as error:  # noqa: BLE001  whatever it is
            used.counters.add_task_end_error()
            told = redact_secrets(summarise_model_error(error, sensitive=used.model.sensitive))
            sys.stderr.write(f"sparkscore: a model failed at the end of a task: {told}\n")  # Spark's log of the worker
        else:
            if counts:
                used.counters.add_model_counts(counts)


@contextmanager
def ending_models(counters: ModelCounters | None = None) -> Iterator[None]:
    """A block at whose end, however it comes, the models hear that the task ends: `end_task_models`."""
    try:
        yield
    finally:
        end_task_models(counters)


def model_wait_s() -> float:
    """Seconds that this process has waited for models to be loaded, by any process.

    Runs on: executor.
    """
    return _model_wait["s"]
