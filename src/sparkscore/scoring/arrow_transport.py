"""The arrow transport: Spark passes Arrow batches to its Python workers and back. NULL and NaN stay distinct."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.scoring.stage_rows import StageRowScorer


def score_with_arrow(frame: DataFrame, scorer: StageRowScorer) -> DataFrame:
    """The stage's rows for a frame of source rows.

    Needs:   the model's columns and those that are carried along, in the frame.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed.
    """
    names = tuple(frame.columns)
    # mapInArrow looks its columns up by name without quoting them: a dot or a backtick would be syntax
    numbered = frame.toDF(*(f"c{index}" for index in range(len(names))))
    return numbered.mapInArrow(_RenamedBatchScorer(scorer, names), from_arrow_schema(scorer.schema))


@dataclass(frozen=True, slots=True)
class _RenamedBatchScorer:
    scorer: StageRowScorer
    names: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.scorer(batch.rename_columns(list(self.names)) for batch in batches)
