"""The arrow transport: Spark passes Arrow batches to its Python workers and back. NULL and NaN stay distinct."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.scoring.stage_rows import BatchFunction, StageRowScorer
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN


class ArrowRows(Protocol):
    """A frame, or what else Spark maps in Arrow."""

    def mapInArrow(self, func: Any, schema: Any) -> DataFrame:  # noqa: N802  Spark's name
        """What the function makes of the rows of each task."""


def score_with_arrow(frame: DataFrame, scorer: StageRowScorer) -> DataFrame:
    """The stage's rows for a frame of source rows.

    Needs:   the model's columns and those that are carried along, in the frame.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed.
    """
    names = tuple(frame.columns)
    # mapInArrow looks its columns up by name without quoting them: a dot or a backtick would be syntax
    numbered = frame.toDF(*(f"c{index}" for index in range(len(names))))
    return map_stage_rows(numbered, scorer, lambda score: _RenamedBatchScorer(score, names))


def map_stage_rows(
    rows: ArrowRows, scorer: StageRowScorer, wrap: Callable[[BatchFunction], BatchFunction]
) -> DataFrame:
    """The stage's rows of a frame; `wrap` makes what its tasks call, of what scores batches of source rows.

    Jobs:    none.
    Runs on: driver.
    """
    if not scorer.counters.is_travelling:
        return rows.mapInArrow(wrap(scorer), from_arrow_schema(scorer.schema))
    frame = rows.mapInArrow(wrap(scorer.score_with_counts), from_arrow_schema(scorer.schema_with_counts))
    return scorer.counters.observe_travelling(frame).drop(COUNTS_COLUMN)


@dataclass(frozen=True, slots=True)
class _RenamedBatchScorer:
    score: BatchFunction
    names: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.score(batch.rename_columns(list(self.names)) for batch in batches)
