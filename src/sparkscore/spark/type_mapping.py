"""Maps Spark's types to Arrow's and back."""

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type
from pyspark.sql.types import DataType, StructType, VariantType

from sparkscore.errors import ConfigError


def spark_to_arrow_type(spark_type: DataType) -> pa.DataType:
    """The Arrow type of a Spark type; timestamps carry UTC.

    Raises:  ConfigError for a type that Arrow does not have (variant, intervals of months).
    """
    try:
        if isinstance(spark_type, VariantType):
            raise TypeError("in Arrow a variant is a struct of its parts, which no Delta reader takes for one")
        return to_arrow_type(spark_type, timezone="UTC")
    except (PySparkException, TypeError) as error:
        raise ConfigError(
            f"a column has the type {spark_type.simpleString()}",
            "a type that Arrow has",
            "leave the column out, or cast it",
        ) from error


def spark_to_arrow_schema(schema: StructType) -> pa.Schema:
    """A frame's columns as an Arrow schema. A column of a type that Arrow does not have is of type null."""
    return pa.schema([pa.field(field.name, _arrow_type_or_null(field.dataType), field.nullable) for field in schema])


def _arrow_type_or_null(spark_type: DataType) -> pa.DataType:
    try:
        return spark_to_arrow_type(spark_type)
    except ConfigError:
        return pa.null()


def arrow_to_spark_type(arrow: pa.DataType) -> DataType:
    """The Spark type of an Arrow type."""
    return from_arrow_type(arrow)
