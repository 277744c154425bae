"""The arrow transport: Spark hands Arrow batches to its Python workers and takes them back. NULL and NaN stay apart."""

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.scoring.rows import StageRows


def scored(frame: DataFrame, rows: StageRows) -> DataFrame:
    """The stage's rows for a frame of source rows.

    Needs:   the model's columns and those that are carried along, in the frame.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed.
    """
    return frame.mapInArrow(rows, from_arrow_schema(rows.schema))
