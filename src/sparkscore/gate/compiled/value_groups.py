"""Measures over groups of rows that hold equal values."""

from collections.abc import Callable, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, VariantType

from sparkscore.gate.compiled.arrow_measures import ArrowMeasure
from sparkscore.gate.compiled.measures import RuleMeasure, shuffled_value, value_row_count
from sparkscore.gate.compiled.row_condition import RowCondition
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import spark_type_name


def row_sum_measure(
    row_condition: RowCondition, condition: Column, label: str, twin: Callable[[], ArrowMeasure]
) -> RuleMeasure:
    """How many rows hold values that meet a condition."""
    return RuleMeasure(
        f"{label} {row_condition.fingerprint}",
        lambda: F.coalesce(F.sum(F.when(condition, value_row_count(row_condition))), F.lit(0)),
        twin,
    )


def value_count_measure(
    row_condition: RowCondition, condition: Column, label: str, twin: Callable[[], ArrowMeasure]
) -> RuleMeasure:
    """How many values, of rows that are judged, meet a condition."""

    def count_values() -> Column:
        is_present = shuffled_value(0).isNotNull() & (value_row_count(row_condition) > 0)
        return F.count(F.when(is_present & condition, 1))

    return RuleMeasure(f"{label} {row_condition.fingerprint}", count_values, twin)


def require_groupable_columns(names: Sequence[str], schema: StructType) -> None:
    """Refuse columns whose equal values Spark cannot bring together.

    Raises:  UnfitValue.
    """
    for name in names:
        if not _is_groupable_type(schema[name].dataType):
            raise UnfitValue(
                f"a column of type {spark_type_name(schema[name].dataType)}, whose values cannot be brought together"
            )


def _is_groupable_type(type_: DataType) -> bool:
    """Whether Spark can bring equal values together."""
    if isinstance(type_, ArrayType):
        return _is_groupable_type(type_.elementType)
    if isinstance(type_, StructType):
        return all(_is_groupable_type(field.dataType) for field in type_)
    return not isinstance(type_, MapType | VariantType)
