"""The arrow transport: Spark passes Arrow batches to its Python workers and back. NULL and NaN stay distinct."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.scoring.arrow_challengers import ArrowChallengers
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.stage_rows import BatchFunction
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN


class ArrowRows(Protocol):
    """A frame, or what else Spark maps in Arrow."""

    def mapInArrow(self, func: Any, schema: Any, *, profile: Any = None) -> DataFrame:  # noqa: N802  Spark's name
        """What the function makes of the rows of each task."""


class TaskRowScorer(Protocol):
    """What a task does with the rows of its part of the source: `StageRowScorer`, or one of several models."""

    @property
    def counters(self) -> Counters:
        """What counts its work."""

    @property
    def schema(self) -> pa.Schema:
        """The stage."""

    @property
    def schema_with_counts(self) -> pa.Schema:
        """The stage and the column of counts."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of the stage for batches of source rows."""

    def score_task(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same for all rows of a task, at whose end its models hear of it."""

    def score_with_counts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same with the column of counts."""


def score_with_arrow(
    frame: DataFrame, scorer: TaskRowScorer, *, profile: Any = None, beside: ArrowChallengers | None = None
) -> DataFrame:
    """The stage's rows for a frame of source rows. `profile`: of the tasks (`TaskProfile`); `beside`: what else gets
    the rows.

    Needs:   the model's columns and those that are carried along, in the frame.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed.
    """
    names = tuple(frame.columns)
    # mapInArrow looks its columns up by name without quoting them: a dot or a backtick would be syntax
    numbered = frame.toDF(*(f"c{index}" for index in range(len(names))))

    def wrap(score: BatchFunction) -> BatchFunction:
        return _RenamedBatchScorer(score if beside is None else beside.follow(score), names)

    return map_stage_rows(numbered, scorer, wrap, profile=profile)


def map_stage_rows(
    rows: ArrowRows,
    scorer: TaskRowScorer,
    wrap: Callable[[BatchFunction], BatchFunction],
    *,
    profile: Any = None,
) -> DataFrame:
    """The stage's rows of a frame; `wrap` makes what its tasks call, of what scores batches of source rows.

    Jobs:    none.
    Runs on: driver.
    """
    if not scorer.counters.is_travelling:
        return rows.mapInArrow(wrap(scorer.score_task), from_arrow_schema(scorer.schema), profile=profile)
    schema = from_arrow_schema(scorer.schema_with_counts)
    frame = rows.mapInArrow(wrap(scorer.score_with_counts), schema, profile=profile)
    return scorer.counters.observe_travelling(frame).drop(COUNTS_COLUMN)


@dataclass(frozen=True, slots=True)
class _RenamedBatchScorer:
    score: BatchFunction
    names: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.score(batch.rename_columns(list(self.names)) for batch in batches)
