"""Rules that the schema answers: which columns there are, in which order, of which types. No job."""

from collections.abc import Callable, Mapping
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


def _judge_type_in(names: list[str] | None, kwargs: RuleKwargs, schema: StructType) -> RuleResult:
    found = schema[kwargs["column"]].dataType
    wanted = None if names is None else tuple(_find_spark_type_class(name) for name in names)
    return observed_value_result(wanted is None or isinstance(found, wanted), spark_type_name(found))


def _find_spark_type_class(name: str) -> type[DataType]:
    found = getattr(types, name, None)
    if isinstance(found, type) and issubclass(found, DataType):
        return found
    raise UnfitValue(f"{name}, which is no type of Spark, such as LongType or StringType")


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
