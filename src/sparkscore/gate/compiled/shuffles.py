"""Rules that need equal values side by side: uniqueness, distinct values, the most common one, median and quantiles."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, VariantType

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
from sparkscore.gate.compiled.row_condition import RowCondition, RuleKwargs, compile_row_condition
from sparkscore.gate.compiled.sets import is_in_value_set
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import fit_set_values, spark_type_name


def _unique_values_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    name, only = kwargs["column"], compile_row_condition(kwargs, schema)
    _require_groupable_columns([name], schema)
    total, gaps = row_count_measure(only), null_count_measure(name, only)
    twice = _row_sum_measure(only, shuffled_value(0).isNotNull() & (value_row_count(only) > 1), f"repeated {name}")
    verdict = partial(_uniqueness_result, total, gaps, twice, mostly=kwargs.get("mostly", 1))
    return CompiledRule(verdict, (total, gaps), RuleShuffle((name,), only, (twice,)))


def _compound_unique_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    names, only = tuple(kwargs["column_list"]), compile_row_condition(kwargs, schema)
    _require_groupable_columns(names, schema)
    total, how = row_count_measure(only), kwargs.get("ignore_row_if", "all_values_are_missing")
    empty = [shuffled_value(place).isNull() for place in range(len(names))]
    joined = {"never": F.lit(False), "any_value_is_missing": reduce(Column.__or__, empty)}
    left_out = joined.get(how, reduce(Column.__and__, empty))
    gaps = _row_sum_measure(only, left_out, f"ignored {names} {how}")
    twice = _row_sum_measure(only, ~left_out & (value_row_count(only) > 1), f"repeated {names} {how}")
    verdict = partial(_uniqueness_result, total, gaps, twice, mostly=kwargs.get("mostly", 1))
    return CompiledRule(verdict, (total,), RuleShuffle(names, only, (gaps, twice)))


def _uniqueness_result(
    total: RuleMeasure, gaps: RuleMeasure, twice: RuleMeasure, values: MeasuredValues, *, mostly: float
) -> RuleResult:
    elements = values[total.name]
    nonnull = elements - values[gaps.name]
    return map_rule_result(elements=elements, nonnull=nonnull, broken=values[twice.name], mostly=mostly)


def _distinct_count_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """How many distinct values there are, or their proportion of the values."""
    require_number_bounds(kwargs)
    name, only = kwargs["column"], compile_row_condition(kwargs, schema)
    _require_groupable_columns([name], schema)
    total, gaps = row_count_measure(only), null_count_measure(name, only)
    there = _value_count_measure(only, F.lit(True), f"distinct {name}")
    verdict = (
        _distinct_share_result
        if kind == "expect_column_proportion_of_unique_values_to_be_between"
        else _distinct_count_result
    )
    return CompiledRule(
        partial(verdict, total, gaps, there, kwargs), (total, gaps), RuleShuffle((name,), only, (there,))
    )


def _distinct_count_result(
    _: RuleMeasure, __: RuleMeasure, there: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues
) -> RuleResult:
    return observed_value_result(is_number_within_bounds(values[there.name], kwargs), values[there.name])


def _distinct_share_result(
    total: RuleMeasure, gaps: RuleMeasure, there: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues
) -> RuleResult:
    nonnull = values[total.name] - values[gaps.name]
    share = values[there.name] / nonnull if nonnull else 0
    return observed_value_result(is_number_within_bounds(share, kwargs), share)


def _distinct_set_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    name, only = kwargs["column"], compile_row_condition(kwargs, schema)
    _require_groupable_columns([name], schema)
    type_, wanted = schema[name].dataType, kwargs["value_set"]
    listed = is_in_value_set(shuffled_value(0), type_, wanted)
    inside = _value_count_measure(only, listed, f"distinct inside {name} {wanted}")
    outside = _value_count_measure(only, ~listed, f"distinct outside {name} {wanted}")
    verdict = partial(_distinct_set_result, kind, inside, outside, _count_listed_values(wanted, type_))
    return CompiledRule(verdict, (), RuleShuffle((name,), only, (inside, outside)))


def _count_listed_values(wanted: Sequence[object], type_: DataType) -> int:
    """How many different values are listed, those that no row can hold among them."""
    foreign = {repr(one) for one in wanted if one is not None and not fit_set_values([one], type_)}
    return len(fit_set_values(wanted, type_)) + len(foreign)


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
    name, only = kwargs["column"], compile_row_condition(kwargs, schema)
    _require_groupable_columns([name], schema)
    times = F.when(shuffled_value(0).isNotNull() & (value_row_count(only) > 0), value_row_count(only))
    listed = is_in_value_set(shuffled_value(0), schema[name].dataType, kwargs["value_set"])
    place = f"{name} {only.mark}"
    top = RuleMeasure(f"most common {place}", lambda: F.max(times))
    inside = RuleMeasure(f"most common inside {place} {kwargs['value_set']}", lambda: F.max(F.when(listed, times)))
    # The first and the last of the most common values, in their own order: one value where they are the same.
    first = F.min(F.when(times.isNotNull(), F.struct((-times).alias("times"), shuffled_value(0).alias("value"))))
    last = F.max(F.when(times.isNotNull(), F.struct(times.alias("times"), shuffled_value(0).alias("value"))))
    alone = RuleMeasure(f"most common alone {place}", lambda: first["value"] == last["value"])
    verdict = partial(_most_common_result, top, inside, alone, ties=bool(kwargs.get("ties_okay")))
    return CompiledRule(verdict, (), RuleShuffle((name,), only, (top, inside, alone)))


def _most_common_result(
    top: RuleMeasure, inside: RuleMeasure, alone: RuleMeasure, values: MeasuredValues, *, ties: bool
) -> RuleResult:
    """The value itself is a row's: it is not told."""
    listed = values[top.name] is not None and values[inside.name] == values[top.name]
    return RuleResult(listed and (ties or values[alone.name] is True), {"observed_value": None})


def _row_sum_measure(only: RowCondition, condition: Column, what: str) -> RuleMeasure:
    return RuleMeasure(
        f"{what} {only.mark}", lambda: F.coalesce(F.sum(F.when(condition, value_row_count(only))), F.lit(0))
    )


def _value_count_measure(only: RowCondition, condition: Column, what: str) -> RuleMeasure:
    def counted() -> Column:
        there = shuffled_value(0).isNotNull() & (value_row_count(only) > 0)
        return F.count(F.when(there & condition, 1))

    return RuleMeasure(f"{what} {only.mark}", counted)


def _require_groupable_columns(names: Sequence[str], schema: StructType) -> None:
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
