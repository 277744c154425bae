"""Which rows of a stage lack a part of their prediction, in Spark's columns. Runs on the driver."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, StructType

from sparkscore.records import field_path, item_path
from sparkscore.schemas import PREDICTION_COLUMN
from sparkscore.spark.identifiers import quote_identifier

_PartCondition = Callable[[Column], Column]
"""The value of the whole -> whether the part is missing in it: true or false."""
_MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class MissingParts:
    """What a stage lacks. Counts are no values; the keys are for the message of an error alone."""

    counts: tuple[tuple[str, int], ...]
    """Paths of the parts, and how many rows lack each."""
    keys: tuple[tuple[object, ...], ...]
    """At most three keys of such rows."""


def is_any_part_missing(kind: DataType, nullable: Collection[str]) -> Column:
    """Whether a prediction, or a part of it, is NULL or NaN and may not be: its path is not among `nullable`.

    Of what is NULL itself no part is missing. `predicates.prediction_masks` says the same of Arrow's.

    Needs:   `prediction`, of type `kind`.
    """
    conditions = [is_missing(F.col(PREDICTION_COLUMN)) for _, is_missing in _required_parts(kind, nullable)]
    return reduce(Column.__or__, conditions, F.lit(False))


def find_missing_parts(rows: DataFrame, *, keys: Sequence[str], nullable: Collection[str]) -> MissingParts:
    """Which parts are missing in how many rows, and in which rows, for example.

    Needs:   the keys, `prediction`; scored rows only.
    Jobs:    two.
    """
    kind, prediction = rows.schema[PREDICTION_COLUMN].dataType, F.col(PREDICTION_COLUMN)
    parts = list(_required_parts(kind, nullable))
    counts = rows.agg(*(F.count_if(is_missing(prediction)) for _, is_missing in parts)).collect()[0] if parts else ()
    key = F.struct(*(F.col(quote_identifier(name)) for name in keys)).alias("key")
    examples = rows.where(is_any_part_missing(kind, nullable)).select(key).orderBy("key").limit(_MAX_EXAMPLES).collect()
    found = [(path, count) for (path, _), count in zip(parts, counts, strict=True) if count]
    return MissingParts(tuple(found), tuple(tuple(row["key"]) for row in examples))


def _required_parts(
    kind: DataType, nullable: Collection[str], path: str = PREDICTION_COLUMN
) -> Iterator[tuple[str, _PartCondition]]:
    """The parts that must be there: path, and how to see that it is missing."""
    is_absent = _is_nan_or_null if isinstance(kind, FloatType | DoubleType) else Column.isNull
    if path not in nullable:
        yield path, is_absent
    if isinstance(kind, StructType):
        for field in kind:
            for inner, is_missing in _required_parts(field.dataType, nullable, field_path(path, field.name)):
                yield inner, _in_field(field.name, is_missing)
    if isinstance(kind, ArrayType):
        for inner, is_missing in _required_parts(kind.elementType, nullable, item_path(path)):
            yield inner, _in_any_item(is_missing)


def _is_nan_or_null(value: Column) -> Column:
    return value.isNull() | F.isnan(value)


def _in_field(name: str, is_missing: _PartCondition) -> _PartCondition:
    return lambda value: value.isNotNull() & is_missing(value.getField(name))


def _in_any_item(is_missing: _PartCondition) -> _PartCondition:
    return lambda value: F.coalesce(F.exists(value, is_missing), F.lit(False))
