"""Which rows of a prediction table are predictions."""

from pyspark.sql import DataFrame

from sparkscore.schemas import DELETED_COLUMN, IS_PREDICTION


def select_predictions(rows: DataFrame) -> DataFrame:
    """The rows without those that only say that the source no longer has a key.

    Needs:   columns of a prediction table.
    Jobs:    none.
    """
    return rows.where(IS_PREDICTION) if DELETED_COLUMN in rows.columns else rows
