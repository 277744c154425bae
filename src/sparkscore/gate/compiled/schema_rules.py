"""Rules that the schema answers: which columns there are, in which order, of which types. No job."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import zip_longest

from pyspark.sql import types
from pyspark.sql.types import DataType, StructType

from sparkscore.gate.compiled.bounds import is_number_within_bounds, require_number_bounds
from sparkscore.gate.compiled.measures import CompiledRule, MeasuredValues, RuleResult, observed_value_result
from sparkscore.gate.compiled.row_condition import RuleKwargs
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import spark_type_name


def _constant_result(found: RuleResult, _: MeasuredValues) -> RuleResult:
    return found


def _to_schema_rule(
    judge: Callable[[RuleKwargs, StructType], RuleResult],
) -> Callable[[str, RuleKwargs, StructType], CompiledRule]:
    return lambda _, kwargs, schema: CompiledRule(partial(_constant_result, judge(kwargs, schema)))


def _judge_column_exists(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    index = kwargs.get("column_index")
    if index is None:
        return RuleResult(kwargs["column"] in schema.names, {})
    exists = -len(schema.names) <= index < len(schema.names)
    return RuleResult(exists and schema.names[index] == kwargs["column"], {})


def _judge_column_count(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    bounds = {"min_value": kwargs["value"], "max_value": kwargs["value"]} if "value" in kwargs else kwargs
    require_number_bounds(bounds)
    return observed_value_result(is_number_within_bounds(len(schema.names), bounds), len(schema.names))


def _judge_column_set(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    wanted, present = set(kwargs.get("column_set") or ()), set(schema.names)
    lists = {"unexpected": sorted(present - wanted), "missing": sorted(wanted - present)}
    mismatched = {name: names for name, names in lists.items() if names}
    exact = kwargs.get("exact_match", True)
    is_match = not mismatched if exact else not lists["missing"]
    details = {"details": {"mismatched": mismatched}} if mismatched else {}
    return RuleResult(is_match, {"observed_value": sorted(present), **details})


def _judge_column_order(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    wanted, present = kwargs.get("column_list"), list(schema.names)
    if wanted is None or list(wanted) == present:
        return RuleResult(True, {"observed_value": present})
    mismatched = [
        {"Expected Column Position": index, "Expected": expected, "Found": found}
        for index, (expected, found) in enumerate(zip_longest(wanted, present))
        if expected != found
    ]
    return RuleResult(False, {"observed_value": present, "details": {"mismatched": mismatched}})


def _judge_column_type(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    return _judge_type_in([kwargs["type_"]], kwargs, schema)


def _judge_column_type_list(kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    return _judge_type_in(kwargs.get("type_list"), kwargs, schema)


def _judge_type_in(names: Sequence[str] | None, kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    """Names of other engines' types are passed over, as Great Expectations does: its profilers list those of all."""
    found = schema[kwargs["column"]].dataType
    if names is None:
        return observed_value_result(True, spark_type_name(found))
    wanted = tuple(kind for kind in map(_find_spark_type_class, names) if kind is not None)
    if not wanted:
        raise UnfitValue(f"{', '.join(names)}, {_describe_unknown_types(names)}")
    return observed_value_result(isinstance(found, wanted), spark_type_name(found))


def _find_spark_type_class(name: str) -> type[DataType] | None:
    found = getattr(types, name, None)
    return found if isinstance(found, type) and issubclass(found, DataType) else None


def _describe_unknown_types(names: Sequence[str]) -> str:
    meant = dict.fromkeys(kind for name in names if (kind := _SPARK_TYPES.get(name.lower().partition("(")[0])))
    examples = " or ".join(meant) or "LongType or StringType"
    return f"which {'is no type' if len(names) == 1 else 'are no types'} of Spark, such as {examples}"


_SPARK_TYPES = {
    **dict.fromkeys(("bigint", "int64", "long", "integer64"), "LongType"),
    **dict.fromkeys(("integer", "int", "int32", "int4"), "IntegerType"),
    **dict.fromkeys(("smallint", "int16"), "ShortType"),
    **dict.fromkeys(("tinyint", "int8"), "ByteType"),
    **dict.fromkeys(("double", "float64", "double_precision", "float8"), "DoubleType"),
    **dict.fromkeys(("float", "float32", "real"), "FloatType"),
    **dict.fromkeys(("string", "str", "object", "text", "varchar", "char", "nvarchar"), "StringType"),
    **dict.fromkeys(("boolean", "bool", "bool_"), "BooleanType"),
    **dict.fromkeys(("numeric", "decimal", "number"), "DecimalType"),
    **dict.fromkeys(("timestamp", "datetime", "datetime64", "datetime64[ns]"), "TimestampType"),
    "date": "DateType",
}
"""The types of Spark that names of pandas and of databases stand for: for messages."""

SCHEMA_RULES: Mapping[str, Callable[[str, RuleKwargs, StructType], CompiledRule]] = {
    "expect_column_to_exist": _to_schema_rule(_judge_column_exists),
    "expect_column_type_to_be": _to_schema_rule(_judge_column_type),
    "expect_column_values_to_be_of_type": _to_schema_rule(_judge_column_type),
    "expect_column_values_to_be_in_type_list": _to_schema_rule(_judge_column_type_list),
    "expect_table_column_count_to_be_between": _to_schema_rule(_judge_column_count),
    "expect_table_column_count_to_equal": _to_schema_rule(_judge_column_count),
    "expect_table_columns_to_match_ordered_list": _to_schema_rule(_judge_column_order),
    "expect_table_columns_to_match_set": _to_schema_rule(_judge_column_set),
}
"""By the expectation's type."""
