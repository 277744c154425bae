"""A suite beside the pass over the rows: what its tasks measure with pyarrow, and the verdict of that and of Spark.

The tasks that read, or write, the rows start a state of `SuiteMeasuring.summary` for each part of them, add its
batches, and keep `to_bytes()` with the part. Afterwards `judge_measured_suite` merges the states. What tasks cannot
measure, or what the states do not say, Spark computes over the frame, as `verdicts.judge_suite` does for all rules.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError
from sparkscore.gate.aggregates.gate_summary import GateSummary, merge_gate_states
from sparkscore.gate.aggregates.row_aggregates import RowAggregate
from sparkscore.gate.aggregates.value_counts import MAX_VALUES, ValueCounts
from sparkscore.gate.compiled.aggregate_values import NotMeasured
from sparkscore.gate.compiled.arrow_literals import NoArrowForm
from sparkscore.gate.compiled.arrow_masks import RowMaskFunction, null_mask
from sparkscore.gate.compiled.arrow_measures import ArrowMeasure
from sparkscore.gate.compiled.measures import CompiledRule, RuleMeasure
from sparkscore.gate.suite_compilation import CompiledSuite
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import evaluate_compiled_suite, to_suite_verdict
from sparkscore.records import Verdict, json_digest
from sparkscore.schemas import REJECT_COLUMN, REJECT_TYPE
from sparkscore.spark.type_mapping import spark_to_arrow_type

_FORMAT = 2
"""Of the states. A new one where a state of before would be understood differently."""


_FEW_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """Which rows the tasks see, and in which of the frame's columns."""

    columns: Collection[str]
    scored_only: bool = False
    """The frame holds the rows without a reject alone, and the tasks see all: `_reject` tells them apart."""


@dataclass(frozen=True, slots=True)
class SuiteMeasuring:
    """A compiled suite, and what of it tasks measure."""

    compiled: CompiledSuite
    summary: GateSummary | None
    """What tasks compute; None where no rule can be measured by them."""
    remaining: Suite
    """The rules that Spark computes in any case; those that need no rows are not among them."""
    twins: tuple[tuple[str, ArrowMeasure], ...]
    """Names of measures, and how their values come from what the tasks compute."""


def plan_suite_measuring(
    compiled: CompiledSuite, schema: StructType, rows: MeasuredRows, *, name: str
) -> SuiteMeasuring:
    """Which rules of a suite tasks measure while they read, or write, the rows. `name`: of the summary.

    Needs:   the schema of the frame that the suite judges.
    Jobs:    none.
    """
    found = [
        _find_rule_twins(expectation, rule, schema, rows.columns, compiled.sensitive)
        for expectation, rule in _rules_in_order(compiled)
    ]
    twins = {name: twin for one in found if one is not None for name, twin in one.items()}
    remaining = tuple(
        expectation for expectation, one in zip(compiled.suite.expectations, found, strict=True) if one is None
    )
    aggregates = {twin.aggregate.key: twin.aggregate for twin in twins.values()}
    summary = _build_gate_summary(name, list(aggregates.values()), schema, rows) if aggregates else None
    return SuiteMeasuring(compiled, summary, replace(compiled.suite, expectations=remaining), tuple(twins.items()))


def limit_measured_values(measuring: SuiteMeasuring, *, rows: int) -> SuiteMeasuring:
    """The same for so many rows: of more than can be merged, tasks keep only the values of columns that have few."""
    if measuring.summary is None or rows <= MAX_VALUES:
        return measuring
    aggregates = tuple(_limit_value_counts(aggregate) for aggregate in measuring.summary.aggregates)
    return replace(measuring, summary=replace(measuring.summary, aggregates=aggregates))


def judge_measured_suite(
    measuring: SuiteMeasuring, states: Iterable[bytes] | None, load_frame: Callable[[], DataFrame]
) -> Verdict:
    """The verdict that `verdicts.judge_suite` gives over the frame: by the states where they are sure, else by Spark.

    Needs:   the states of all parts of the rows, each once, in any order; None where there are none. The frame is
             loaded only where Spark has to compute.
    Jobs:    none where all was measured; else as `verdicts.judge_suite`, for what was not.
    Raises:  as `verdicts.judge_suite`.
    """
    started, compiled = time.monotonic(), measuring.compiled
    measured = {} if states is None else merge_measured_values(measuring, states)
    results = evaluate_compiled_suite(load_frame, compiled, measured)
    seconds = time.monotonic() - started
    return to_suite_verdict(compiled.suite, results, gate=compiled.gate, sensitive=compiled.sensitive, seconds=seconds)


def merge_measured_values(measuring: SuiteMeasuring, states: Iterable[bytes]) -> dict[str, Any]:
    """The values of the measures, by name, as far as the states are sure of them.

    Jobs:    none.
    """
    parts = {} if measuring.summary is None else merge_gate_states(measuring.summary, states)
    values = {}
    for name, twin in measuring.twins:
        with suppress(KeyError, NotMeasured):
            values[name] = twin.value(parts[twin.aggregate.key])
    return values


def _rules_in_order(compiled: CompiledSuite) -> Iterator[tuple[Expectation, CompiledRule | None]]:
    return zip(compiled.suite.expectations, compiled.rules, strict=True)


def _find_rule_twins(
    expectation: Expectation,
    rule: CompiledRule | None,
    schema: StructType,
    columns: Collection[str],
    sensitive: Collection[str],
) -> dict[str, ArrowMeasure] | None:
    """The measures of a rule that tasks can measure; None where there is one that they cannot."""
    if rule is None or (rule.shuffle is not None and rule.shuffle.sketches is not None):
        return None
    measures = (*rule.measures, *(rule.shuffle.value_measures if rule.shuffle else ()))
    try:
        twins = {measure.name: _find_measure_twin(measure, schema, columns) for measure in measures}
    except (NoArrowForm, ConfigError):
        return None
    keeps_values = any(twin.aggregate.keeps_values for twin in twins.values())
    return None if keeps_values and expectation.judges_any(sensitive) else twins


def _find_measure_twin(measure: RuleMeasure, schema: StructType, columns: Collection[str]) -> ArrowMeasure:
    if measure.twin is None:
        raise NoArrowForm
    twin = measure.twin()
    if not set(twin.aggregate.columns) <= set(columns):
        raise NoArrowForm
    _arrow_types(twin.aggregate.columns, schema)
    return twin


def _arrow_types(columns: Iterable[str], schema: StructType) -> dict[str, pa.DataType]:
    """Raises: ConfigError for a type that Arrow does not have."""
    return {name: spark_to_arrow_type(schema[name].dataType) for name in columns}


def _build_gate_summary(
    name: str, aggregates: Sequence[RowAggregate], schema: StructType, rows: MeasuredRows
) -> GateSummary:
    types = _arrow_types((column for aggregate in aggregates for column in aggregate.columns), schema)
    row_filter: RowMaskFunction | None = None
    if rows.scored_only:
        types[REJECT_COLUMN], row_filter = REJECT_TYPE, partial(null_mask, REJECT_COLUMN)
    keys = [aggregate.key for aggregate in aggregates]
    fingerprint = json_digest(
        [_FORMAT, keys, [[column, str(kind)] for column, kind in types.items()], rows.scored_only]
    )
    return GateSummary(name, fingerprint, tuple(types.items()), tuple(aggregates), row_filter)


def _limit_value_counts(aggregate: RowAggregate) -> RowAggregate:
    return replace(aggregate, max_values=_FEW_VALUES) if isinstance(aggregate, ValueCounts) else aggregate
