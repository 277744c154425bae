"""A reject as Spark's columns: what `schemas` builds in Arrow. Runs on the driver; no Spark job."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.type_mapping import arrow_to_spark_type


def reject_column(code: Column, error: Column, message: Column) -> Column:
    """A struct of `REJECT_TYPE`; never NULL itself."""
    parts = zip(REJECT_TYPE, (code, error, message), strict=True)
    return F.struct(*(part.cast(arrow_to_spark_type(field.type)).alias(field.name) for field, part in parts))


def null_reject_column() -> Column:
    """That a row is not rejected."""
    return F.lit(None).cast(arrow_to_spark_type(REJECT_TYPE))
