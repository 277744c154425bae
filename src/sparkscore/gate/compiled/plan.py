"""A suite, compiled: which measures are taken in the pass over the rows, and which need a shuffle."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.measures import Found, Measure, Rule, Shuffle, Values, rows
from sparkscore.gate.compiled.other_table import OTHER_TABLE, other_table_rule
from sparkscore.gate.compiled.scalars import SCALARS
from sparkscore.gate.compiled.schemas import SCHEMAS
from sparkscore.gate.compiled.shuffles import SHUFFLES
from sparkscore.store.isolation import setting
from sparkscore.store.names import quoted

_RULES: Mapping[str, Callable[[str, Mapping[str, Any], StructType], Rule]] = {**SCALARS, **SCHEMAS, **SHUFFLES}
COMPILED = frozenset({*_RULES, OTHER_TABLE})
"""The expectations that are computed here; all others are left to Great Expectations' own engine."""

_FIELDS = "spark.sql.codegen.maxFields"
_MOST_FIELDS = "100000"
"""Spark is to compile an aggregation of more than a hundred measures, too: else it interprets, and 256 measures over
1 M rows took 29 s instead of 10 at first, 6.7 instead of 5 once warm."""


def compiled(kind: str, kwargs: Mapping[str, Any], schema: StructType, *, home: str | None = None) -> Rule:
    """An expectation, ready to be computed. `home`: the folder in which the plain name of another table is one.

    Needs:   an expectation of `COMPILED` whose arguments were checked; its columns in `schema`.
    Jobs:    none.
    Raises:  Unfit for arguments that do not fit the columns; ConfigError for another table that is not there.
    """
    if kind == OTHER_TABLE:
        return other_table_rule(kwargs, schema, home=home)
    return _RULES[kind](kind, kwargs, schema)


def computed(frame: DataFrame, rules: Sequence[Rule]) -> list[Found]:
    """What the rules found, in order.

    Jobs:    one for all measures that a pass over the rows takes, none where there are none; one more for each
             column, or list of columns, whose values are brought together; one for each other table.
    """
    values = dict(_passed(frame, [measure for rule in rules for measure in rule.measures]))
    shuffles: dict[tuple[str, ...], list[Shuffle]] = {}
    for rule in rules:
        if rule.shuffle is not None:
            shuffles.setdefault(rule.shuffle.columns, []).append(rule.shuffle)
    for columns, wanted in shuffles.items():
        values |= _shuffled(frame, columns, wanted, values)
    return [rule.verdict(values) for rule in rules]


def _passed(frame: DataFrame, measures: Iterable[Measure]) -> Values:
    taken = _once(measures)
    if not taken:
        return {}
    with setting(frame.sparkSession, _FIELDS, _MOST_FIELDS):
        found = frame.agg(*_aliased(taken)).collect()[0]
    return dict(zip(taken, found, strict=True))


def _shuffled(frame: DataFrame, columns: tuple[str, ...], wanted: Sequence[Shuffle], values: Values) -> Values:
    """Both kinds of aggregates in one query: a row of one column each, below one another."""
    tallies = _once(measure for shuffle in wanted for measure in shuffle.tallies)
    sketches = _once(one for shuffle in wanted if shuffle.sketches is not None for one in shuffle.sketches(values))
    parts = []
    if tallies:
        parts.append((tallies, _groups(frame, columns, wanted)))
    if sketches:
        parts.append((sketches, frame))
    frames = [rows_.agg(F.struct(*_aliased(taken)).alias(f"part{place}")) for place, (taken, rows_) in enumerate(parts)]
    found = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames).collect()
    return {
        name: value
        for place, (taken, _) in enumerate(parts)
        for name, value in zip(taken, found[place][f"part{place}"], strict=True)
    }


def _groups(frame: DataFrame, columns: tuple[str, ...], wanted: Sequence[Shuffle]) -> DataFrame:
    """Grain: one row per value of the columns, with the number of rows that hold it for each row condition."""
    counts = _once(rows(shuffle.where) for shuffle in wanted)
    keys = [F.col(quoted(name)).alias(f"value{place}") for place, name in enumerate(columns)]
    return frame.groupBy(*keys).agg(*[column.alias(name) for name, column in counts.items()])


def _once(measures: Iterable[Measure]) -> dict[str, Column]:
    each = {measure.name: measure for measure in measures}
    return {name: measure.column() for name, measure in each.items()}


def _aliased(measures: Mapping[str, Column]) -> list[Column]:
    """Short names: those of the measures hold a whole set."""
    return [column.alias(f"m{place}") for place, column in enumerate(measures.values())]
