"""Rules that need equal values side by side: uniqueness, distinct values, the most common one, median and quantiles."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from sparkscore.gate.compiled.arrow_value_measures import (
    distinct_values_twin,
    ignored_values_twin,
    is_most_common_alone_twin,
    listed_values_twin,
    most_rows_twin,
    repeated_rows_twin,
)
from sparkscore.gate.compiled.bounds import is_number_within_bounds, require_number_bounds
from sparkscore.gate.compiled.measures import (
    CompiledRule,
    MeasuredValues,
    RuleMeasure,
    RuleResult,
    RuleShuffle,
    map_rule_result,
    null_count_measure,
    observed_value_result,
    row_count_measure,
    shuffled_value,
    value_row_count,
)
from sparkscore.gate.compiled.quantiles import median_rule, quantile_rule
from sparkscore.gate.compiled.row_condition import RuleKwargs, compile_row_condition
from sparkscore.gate.compiled.sets import is_in_value_set
from sparkscore.gate.compiled.value_groups import (
    require_groupable_columns,
    row_sum_measure,
    value_count_measure,
)
from sparkscore.predicates.spark_values import fit_set_values


def _unique_values_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    name, row_condition = kwargs["column"], compile_row_condition(kwargs, schema)
    require_groupable_columns([name], schema)
    total, nulls = row_count_measure(row_condition), null_count_measure(name, row_condition)
    repeated = row_sum_measure(
        row_condition,
        shuffled_value(0).isNotNull() & (value_row_count(row_condition) > 1),
        f"repeated {name}",
        partial(repeated_rows_twin, (name,), schema, row_condition),
    )
    evaluate = partial(_uniqueness_result, total, nulls, repeated, mostly=kwargs.get("mostly", 1))
    return CompiledRule(evaluate, (total, nulls), RuleShuffle((name,), row_condition, (repeated,)))


def _compound_unique_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    names, row_condition = tuple(kwargs["column_list"]), compile_row_condition(kwargs, schema)
    require_groupable_columns(names, schema)
    total, ignore = row_count_measure(row_condition), kwargs.get("ignore_row_if", "all_values_are_missing")
    empty = [shuffled_value(index).isNull() for index in range(len(names))]
    ignored_by_option = {"never": F.lit(False), "any_value_is_missing": reduce(Column.__or__, empty)}
    ignored = ignored_by_option.get(ignore, reduce(Column.__and__, empty))
    nulls = row_sum_measure(
        row_condition,
        ignored,
        f"ignored {names} {ignore}",
        partial(ignored_values_twin, names, schema, row_condition, ignore),
    )
    repeated = row_sum_measure(
        row_condition,
        ~ignored & (value_row_count(row_condition) > 1),
        f"repeated {names} {ignore}",
        partial(repeated_rows_twin, names, schema, row_condition, ignore),
    )
    evaluate = partial(_uniqueness_result, total, nulls, repeated, mostly=kwargs.get("mostly", 1))
    return CompiledRule(evaluate, (total,), RuleShuffle(names, row_condition, (nulls, repeated)))


def _uniqueness_result(
    total: RuleMeasure, nulls: RuleMeasure, repeated: RuleMeasure, values: MeasuredValues, *, mostly: float
) -> RuleResult:
    elements = values[total.name]
    nonnull = elements - values[nulls.name]
    return map_rule_result(elements=elements, nonnull=nonnull, broken=values[repeated.name], mostly=mostly)


def _distinct_count_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """How many distinct values there are, or their proportion of the values."""
    require_number_bounds(kwargs)
    name, row_condition = kwargs["column"], compile_row_condition(kwargs, schema)
    require_groupable_columns([name], schema)
    total, nulls = row_count_measure(row_condition), null_count_measure(name, row_condition)
    distinct = value_count_measure(
        row_condition, F.lit(True), f"distinct {name}", partial(distinct_values_twin, name, schema, row_condition)
    )
    evaluate = (
        _distinct_share_result
        if kind == "expect_column_proportion_of_unique_values_to_be_between"
        else _distinct_count_result
    )
    return CompiledRule(
        partial(evaluate, total, nulls, distinct, kwargs),
        (total, nulls),
        RuleShuffle((name,), row_condition, (distinct,)),
    )


def _distinct_count_result(
    _: RuleMeasure, __: RuleMeasure, distinct: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues
) -> RuleResult:
    return observed_value_result(is_number_within_bounds(values[distinct.name], kwargs), values[distinct.name])


def _distinct_share_result(
    total: RuleMeasure, nulls: RuleMeasure, distinct: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues
) -> RuleResult:
    nonnull = values[total.name] - values[nulls.name]
    share = values[distinct.name] / nonnull if nonnull else 0
    return observed_value_result(is_number_within_bounds(share, kwargs), share)


def _distinct_set_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    name, row_condition = kwargs["column"], compile_row_condition(kwargs, schema)
    require_groupable_columns([name], schema)
    type_, wanted = schema[name].dataType, kwargs["value_set"]
    listed = is_in_value_set(shuffled_value(0), type_, wanted)
    twin = partial(listed_values_twin, name, schema, row_condition, wanted)
    inside = value_count_measure(row_condition, listed, f"distinct inside {name} {wanted}", partial(twin, inside=True))
    outside = value_count_measure(
        row_condition, ~listed, f"distinct outside {name} {wanted}", partial(twin, inside=False)
    )
    evaluate = partial(_distinct_set_result, kind, inside, outside, _count_listed_values(wanted, type_))
    return CompiledRule(evaluate, (), RuleShuffle((name,), row_condition, (inside, outside)))


def _count_listed_values(values: Sequence[object], type_: DataType) -> int:
    """How many different values are listed, those that no row can hold included."""
    foreign = {repr(value) for value in values if value is not None and not fit_set_values([value], type_)}
    return len(fit_set_values(values, type_)) + len(foreign)


def _distinct_set_result(
    kind: str, inside: RuleMeasure, outside: RuleMeasure, wanted: int, values: MeasuredValues
) -> RuleResult:
    """Counts alone: the values themselves are of rows."""
    counts = {"unexpected_count": values[outside.name], "missing_count": wanted - values[inside.name]}
    judged = {name: counts[name] for name in _SET_RULE_COUNTS[kind]}
    return RuleResult(not any(judged.values()), {"observed_value": None, **judged})


_SET_RULE_COUNTS: Mapping[str, tuple[str, ...]] = {
    "expect_column_distinct_values_to_be_in_set": ("unexpected_count",),
    "expect_column_distinct_values_to_contain_set": ("missing_count",),
    "expect_column_distinct_values_to_equal_set": ("unexpected_count", "missing_count"),
}


def _most_common_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    name, row_condition = kwargs["column"], compile_row_condition(kwargs, schema)
    require_groupable_columns([name], schema)
    times = F.when(shuffled_value(0).isNotNull() & (value_row_count(row_condition) > 0), value_row_count(row_condition))
    listed = is_in_value_set(shuffled_value(0), schema[name].dataType, kwargs["value_set"])
    scope = f"{name} {row_condition.fingerprint}"
    twin = partial(most_rows_twin, name, schema, row_condition)
    top = RuleMeasure(f"most common {scope}", lambda: F.max(times), twin)
    inside = RuleMeasure(
        f"most common inside {scope} {kwargs['value_set']}",
        lambda: F.max(F.when(listed, times)),
        partial(twin, kwargs["value_set"]),
    )
    # The first and the last of the most common values, in their own order: one value where they are the same.
    first = F.min(F.when(times.isNotNull(), F.struct((-times).alias("times"), shuffled_value(0).alias("value"))))
    last = F.max(F.when(times.isNotNull(), F.struct(times.alias("times"), shuffled_value(0).alias("value"))))
    alone = RuleMeasure(
        f"most common alone {scope}",
        lambda: first["value"] == last["value"],
        partial(is_most_common_alone_twin, name, schema, row_condition),
    )
    evaluate = partial(_most_common_result, top, inside, alone, ties=bool(kwargs.get("ties_okay")))
    return CompiledRule(evaluate, (), RuleShuffle((name,), row_condition, (top, inside, alone)))


def _most_common_result(
    top: RuleMeasure, inside: RuleMeasure, alone: RuleMeasure, values: MeasuredValues, *, ties: bool
) -> RuleResult:
    """The value itself is a row's: it is not reported."""
    listed = values[top.name] is not None and values[inside.name] == values[top.name]
    return RuleResult(listed and (ties or values[alone.name] is True), {"observed_value": None})


SHUFFLE_RULES: Mapping[str, Callable[[str, RuleKwargs, StructType], CompiledRule]] = {
    "expect_column_values_to_be_unique": _unique_values_rule,
    "expect_compound_columns_to_be_unique": _compound_unique_rule,
    "expect_column_unique_value_count_to_be_between": _distinct_count_rule,
    "expect_column_proportion_of_unique_values_to_be_between": _distinct_count_rule,
    "expect_column_distinct_values_to_be_in_set": _distinct_set_rule,
    "expect_column_distinct_values_to_contain_set": _distinct_set_rule,
    "expect_column_distinct_values_to_equal_set": _distinct_set_rule,
    "expect_column_most_common_value_to_be_in_set": _most_common_rule,
    "expect_column_median_to_be_between": median_rule,
    "expect_column_quantile_values_to_be_between": quantile_rule,
}
"""By the expectation's type. One more job for each column, or list of columns, whatever the number of its rules."""
