"""Variables of the environment that a caller gives a model (`extra_env`). Runs on executors."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import Scorer, TaskScorer, find_task_end


@contextmanager
def extend_environment(model: ShippedModel) -> Iterator[None]:
    """A block in which the process has the model's variables; after it those of before."""
    before = {name: os.environ.get(name) for name, _ in model.environment}
    os.environ.update(model.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def score_with_variables(score: Scorer, model: ShippedModel) -> Scorer:
    """The scorer, which predicts with the model's variables set; the same where it has none."""
    if not model.environment:
        return score

    def score_batch(columns: Sequence[pa.Array]) -> ScoredBatch:
        with extend_environment(model):
            return score(columns)

    end_task = find_task_end(score)
    if end_task is None:
        return score_batch

    def end_with_variables() -> Mapping[str, float]:
        with extend_environment(model):
            return end_task()

    return TaskScorer(score_batch, end_with_variables)
