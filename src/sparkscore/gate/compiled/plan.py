"""A suite, compiled: which measures are taken in the pass over the rows, and which need a shuffle."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.measures import (
    CompiledRule,
    MeasuredValues,
    RuleMeasure,
    RuleResult,
    RuleShuffle,
    row_count_measure,
)
from sparkscore.gate.compiled.other_table import OTHER_TABLE, other_table_rule
from sparkscore.gate.compiled.scalars import SCALAR_RULES
from sparkscore.gate.compiled.schema_rules import SCHEMA_RULES
from sparkscore.gate.compiled.shuffles import SHUFFLE_RULES
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.settable_conf import override_setting

_RULE_COMPILERS: Mapping[str, Callable[[str, Mapping[str, Any], StructType], CompiledRule]] = {
    **SCALAR_RULES,
    **SCHEMA_RULES,
    **SHUFFLE_RULES,
}
COMPILED_TYPES = frozenset({*_RULE_COMPILERS, OTHER_TABLE})
"""The expectations that are computed here; all others are left to Great Expectations' own engine."""

_CODEGEN_FIELDS_KEY = "spark.sql.codegen.maxFields"
_MAX_CODEGEN_FIELDS = "100000"
"""Spark is to compile an aggregation of more than a hundred measures, too: else it interprets, and 256 measures over
1 M rows took 29 s instead of 10 at first, 6.7 instead of 5 once warm."""


def compile_expectation(
    kind: str, kwargs: Mapping[str, Any], schema: StructType, *, home: str | None = None
) -> CompiledRule:
    """An expectation, ready to be computed. `home`: the folder in which the plain name of another table is one.

    Needs:   an expectation of `COMPILED_TYPES` whose arguments were checked; its columns in `schema`.
    Jobs:    none.
    Raises:  UnfitValue for arguments that do not fit the columns; ConfigError for another table that is not there.
    """
    if kind == OTHER_TABLE:
        return other_table_rule(kwargs, schema, home=home)
    return _RULE_COMPILERS[kind](kind, kwargs, schema)


def compute_compiled_rules(
    load_frame: Callable[[], DataFrame], rules: Sequence[CompiledRule], measured: MeasuredValues
) -> list[RuleResult]:
    """What the rules found, in order. The frame is loaded where something is not `measured` yet.

    Jobs:    one for all measures that a pass over the rows takes, none where there are none; one more for each
             column, or list of columns, whose values are brought together; one for each other table.
    """
    missing = [rule for rule in rules if not _is_rule_measured(rule, measured)]
    if not missing:
        return [rule.evaluate(measured) for rule in rules]
    frame = load_frame()
    wanted = [measure for rule in missing for measure in rule.measures if measure.name not in measured]
    values = {**measured, **_aggregate_rule_measures(frame, wanted)}
    shuffles: dict[tuple[str, ...], list[RuleShuffle]] = {}
    for rule in missing:
        if rule.shuffle is not None and not _is_shuffle_measured(rule.shuffle, measured):
            shuffles.setdefault(rule.shuffle.columns, []).append(rule.shuffle)
    for columns, shuffled in shuffles.items():
        values |= _aggregate_rule_shuffles(frame, columns, shuffled, values)
    return [rule.evaluate(values) for rule in rules]


def _is_rule_measured(rule: CompiledRule, measured: MeasuredValues) -> bool:
    has_measures = all(measure.name in measured for measure in rule.measures)
    return has_measures and (rule.shuffle is None or _is_shuffle_measured(rule.shuffle, measured))


def _is_shuffle_measured(shuffle: RuleShuffle, measured: MeasuredValues) -> bool:
    return shuffle.sketches is None and all(measure.name in measured for measure in shuffle.value_measures)


def _aggregate_rule_measures(frame: DataFrame, measures: Iterable[RuleMeasure]) -> MeasuredValues:
    measured = _deduplicate_measures(measures)
    if not measured:
        return {}
    with override_setting(frame.sparkSession, _CODEGEN_FIELDS_KEY, _MAX_CODEGEN_FIELDS):
        found = frame.agg(*_alias_measures(measured)).collect()[0]
    return dict(zip(measured, found, strict=True))


def _aggregate_rule_shuffles(
    frame: DataFrame, columns: tuple[str, ...], wanted: Sequence[RuleShuffle], values: MeasuredValues
) -> MeasuredValues:
    """Both kinds of aggregates in one query: a row of one column each, below one another."""
    value_measures = _deduplicate_measures(measure for shuffle in wanted for measure in shuffle.value_measures)
    sketches = _deduplicate_measures(
        sketch for shuffle in wanted if shuffle.sketches is not None for sketch in shuffle.sketches(values)
    )
    parts = []
    if value_measures:
        parts.append((value_measures, _group_rows_by_value(frame, columns, wanted)))
    if sketches:
        parts.append((sketches, frame))
    frames = [
        source.agg(F.struct(*_alias_measures(measured)).alias(f"part{index}"))
        for index, (measured, source) in enumerate(parts)
    ]
    found = reduce(lambda first, second: first.unionByName(second, allowMissingColumns=True), frames).collect()
    return {
        name: value
        for index, (measured, _) in enumerate(parts)
        for name, value in zip(measured, found[index][f"part{index}"], strict=True)
    }


def _group_rows_by_value(frame: DataFrame, columns: tuple[str, ...], wanted: Sequence[RuleShuffle]) -> DataFrame:
    """Grain: one row per value of the columns, with the number of rows that hold it for each row condition."""
    counts = _deduplicate_measures(row_count_measure(shuffle.row_condition) for shuffle in wanted)
    keys = [F.col(quote_identifier(name)).alias(f"value{index}") for index, name in enumerate(columns)]
    return frame.groupBy(*keys).agg(*[column.alias(name) for name, column in counts.items()])


def _deduplicate_measures(measures: Iterable[RuleMeasure]) -> dict[str, Column]:
    unique = {measure.name: measure for measure in measures}
    return {name: measure.column() for name, measure in unique.items()}


def _alias_measures(measures: Mapping[str, Column]) -> list[Column]:
    """Short names: those of the measures hold a whole set."""
    return [column.alias(f"m{index}") for index, column in enumerate(measures.values())]
