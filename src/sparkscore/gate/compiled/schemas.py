"""Rules that the schema answers: which columns there are, in which order, of which types. No job."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import zip_longest
from typing import Any

from pyspark.sql import types
from pyspark.sql.types import DataType, StructType

from sparkscore.gate.compiled.bounds import number_within, require_numbers
from sparkscore.gate.compiled.measures import Found, Rule, Values, observed
from sparkscore.gate.compiled.values import Unfit, named

Kwargs = Mapping[str, Any]


def _known(found: Found, _: Values) -> Found:
    return found


def _rule(judge: Callable[[Kwargs, StructType], Found]) -> Callable[[str, Kwargs, StructType], Rule]:
    return lambda _, kwargs, schema: Rule(partial(_known, judge(kwargs, schema)))


def _exists(kwargs: Kwargs, schema: StructType) -> Found:
    place = kwargs.get("column_index")
    if place is None:
        return Found(kwargs["column"] in schema.names, {})
    there = -len(schema.names) <= place < len(schema.names)
    return Found(there and schema.names[place] == kwargs["column"], {})


def _count(kwargs: Kwargs, schema: StructType) -> Found:
    asked = {"min_value": kwargs["value"], "max_value": kwargs["value"]} if "value" in kwargs else kwargs
    require_numbers(asked)
    return observed(number_within(len(schema.names), asked), len(schema.names))


def _set(kwargs: Kwargs, schema: StructType) -> Found:
    wanted, there = set(kwargs.get("column_set") or ()), set(schema.names)
    lists = {"unexpected": sorted(there - wanted), "missing": sorted(wanted - there)}
    mismatched = {name: names for name, names in lists.items() if names}
    exact = kwargs.get("exact_match", True)
    met = not mismatched if exact else not lists["missing"]
    details = {"details": {"mismatched": mismatched}} if mismatched else {}
    return Found(met, {"observed_value": sorted(there), **details})


def _order(kwargs: Kwargs, schema: StructType) -> Found:
    wanted, there = kwargs.get("column_list"), list(schema.names)
    if wanted is None or list(wanted) == there:
        return Found(True, {"observed_value": there})
    mismatched = [
        {"Expected Column Position": place, "Expected": asked, "Found": found}
        for place, (asked, found) in enumerate(zip_longest(wanted, there))
        if asked != found
    ]
    return Found(False, {"observed_value": there, "details": {"mismatched": mismatched}})


def _type(kwargs: Kwargs, schema: StructType) -> Found:
    return _typed([kwargs["type_"]], kwargs, schema)


def _type_list(kwargs: Kwargs, schema: StructType) -> Found:
    return _typed(kwargs.get("type_list"), kwargs, schema)


def _typed(names: list[str] | None, kwargs: Kwargs, schema: StructType) -> Found:
    found = schema[kwargs["column"]].dataType
    wanted = None if names is None else tuple(_spark_type(name) for name in names)
    return observed(wanted is None or isinstance(found, wanted), named(found))


def _spark_type(name: str) -> type[DataType]:
    found = getattr(types, name, None)
    if isinstance(found, type) and issubclass(found, DataType):
        return found
    raise Unfit(f"{name}, which is no type of Spark, such as LongType or StringType")


SCHEMAS: Mapping[str, Callable[[str, Kwargs, StructType], Rule]] = {
    "expect_column_to_exist": _rule(_exists),
    "expect_column_type_to_be": _rule(_type),
    "expect_column_values_to_be_of_type": _rule(_type),
    "expect_column_values_to_be_in_type_list": _rule(_type_list),
    "expect_table_column_count_to_be_between": _rule(_count),
    "expect_table_column_count_to_equal": _rule(_count),
    "expect_table_columns_to_match_ordered_list": _rule(_order),
    "expect_table_columns_to_match_set": _rule(_set),
}
"""By the expectation's type."""
