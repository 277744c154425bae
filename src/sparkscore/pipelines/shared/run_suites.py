"""The suites of a run's gates: compiled once, with what of them tasks measure while they read and write rows."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from sparkscore.gate.stage_counts import StageCountSummary
from sparkscore.gate.suite_compilation import Gate, compile_gate_suite
from sparkscore.gate.suite_measuring import (
    MeasuredRows,
    SuiteMeasuring,
    judge_measured_suite,
    limit_measured_values,
    plan_suite_measuring,
)
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import corrupt_column
from sparkscore.records import RowSummary, Verdict
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import DELETED_COLUMN, LINEAGE_COLUMNS, PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.spark.type_mapping import arrow_to_spark_schema, has_types_of_spark_alone
from sparkscore.stage.output_columns import OutputColumns, OutputSummary
from sparkscore.stage.staged_states import StagedStates, StatesMissing

log = structlog.get_logger("sparkscore")

INPUT_GATE, OUTPUT_GATE = "input_gate", "output_gate"
"""Names of summaries."""


def check_suites(attempt: Attempt, plan: Plan) -> None:
    """Refuse a suite that names columns which its frame will not have, or whose rules do not fit their types.

    The gates judge with what was compiled here.

    Jobs:    none.
    Raises:  ConfigError.
    """
    if "input" in attempt.suites:
        attempt.measurings["input"] = _plan_input_gate(attempt, _source_schema(attempt, plan))
    if "output" in attempt.suites:
        attempt.measurings["output"] = _plan_output_gate(attempt, plan)


def find_measuring(attempt: Attempt, plan: Plan, gate: Gate) -> SuiteMeasuring | None:
    """A gate's suite, compiled; None where the config has none.

    Raises:  as `check_suites`, where that was not called yet.
    """
    if gate in attempt.suites and gate not in attempt.measurings:
        check_suites(attempt, plan)
    return attempt.measurings.get(gate)


def limit_measurings(attempt: Attempt, rows: int | None) -> None:
    """Let tasks keep no values that could not be merged. `rows`: at most so many are read; None: it is not known."""
    for gate, measuring in attempt.measurings.items():
        attempt.measurings[gate] = limit_measured_values(measuring, rows=rows or 0)


def output_columns(attempt: Attempt, plan: Plan) -> OutputColumns:
    """How tasks turn what the model returned into what is published."""
    return OutputColumns(attempt.settings.output.threshold, PREDICTION_COLUMN in plan.nullable, plan.outputs.columns)


def output_gate_summary(attempt: Attempt, plan: Plan) -> RowSummary | None:
    """What tasks measure for the output gate, of the stage's batches."""
    measuring = find_measuring(attempt, plan, "output")
    summary = None if measuring is None else measuring.summary
    return None if summary is None else OutputSummary(summary, output_columns(attempt, plan))


def stage_count_summary(attempt: Attempt, plan: Plan) -> StageCountSummary:
    """What tasks count for the output gate that is always on."""
    return StageCountSummary(tuple(sorted(plan.nullable)), attempt.settings.output.threshold is not None)


def judge_by_states(
    measuring: SuiteMeasuring,
    summary: RowSummary | None,
    *,
    staged: StagedStates | None,
    summarise: Callable[[RowSummary], Iterable[bytes]],
    load_frame: Callable[[], DataFrame],
) -> Verdict:
    """A suite's verdict: by what tasks have kept with the stage, else by a job over the files, else by Spark.

    `summarise`: that job. It is left out where Spark has to read the rows for other rules anyway.

    Jobs:    none where tasks have measured all; else one, or those of `verdicts.judge_suite`.
    Raises:  as `verdicts.judge_suite`.
    """
    if summary is not None and staged is not None:
        try:
            return judge_measured_suite(measuring, staged.iterate_states(summary), load_frame)
        except StatesMissing as missing:
            log.info("gate in a pass of its own", gate=measuring.compiled.gate, reason=str(missing))
    states: Iterable[bytes] | None = None
    if summary is not None and not measuring.remaining.expectations:
        try:
            states = list(summarise(summary))
        except Exception as error:  # noqa: BLE001  what only Spark reads; where that fails too, its own error tells why
            log.info("gate through Spark", gate=measuring.compiled.gate, reason=shorten_redacted(str(error), 200))
    return judge_measured_suite(measuring, states, load_frame)


def _plan_input_gate(attempt: Attempt, schema: StructType) -> SuiteMeasuring:
    suite = attempt.suites["input"]
    # the rules that reject, too, so that an error names every broken one
    compiled = compile_gate_suite(suite, schema, "input", attempt.settings.source.sensitive)
    pairs = zip(suite.expectations, compiled.rules, strict=True)
    judged = tuple(rule for expectation, rule in pairs if not expectation.rejects)
    compiled = replace(compiled, suite=suite.gate_suite, rules=judged)
    return plan_suite_measuring(compiled, schema, MeasuredRows(schema.names), name=INPUT_GATE)


def _plan_output_gate(attempt: Attempt, plan: Plan) -> SuiteMeasuring:
    constant = {DELETED_COLUMN, *(column.name for column in LINEAGE_COLUMNS)}
    staged = {column.name: column.type for column in plan.contract.columns if column.name not in constant}
    schema = arrow_to_spark_schema(staged)
    compiled = compile_gate_suite(attempt.suites["output"], schema, "output", attempt.settings.output_sensitive)
    nested_null = plan.nullable and pa.types.is_nested(staged[PREDICTION_COLUMN])  # NaN within becomes NULL
    made = {PREDICTION_COLUMN, *(one.name for one in plan.outputs.columns)}
    columns = [name for name in schema.names if not (nested_null and name in made and pa.types.is_nested(staged[name]))]
    rows = MeasuredRows([*columns, REJECT_COLUMN], scored_only=True)
    return plan_suite_measuring(compiled, schema, rows, name=OUTPUT_GATE)


def _source_schema(attempt: Attempt, plan: Plan) -> StructType:
    """The source's columns as Spark has them; asked again where Arrow does not have all of it."""
    schema, corrupt = plan.snapshot.schema, corrupt_column(attempt.settings)
    schema = pa.schema([field for field in schema if field.name != corrupt])  # no column of the source
    if has_types_of_spark_alone(schema):
        return ingest.snapshot_frame(attempt.spark, replace(plan.snapshot, columns=tuple(schema.names))).schema
    return arrow_to_spark_schema({field.name: field.type for field in schema})
