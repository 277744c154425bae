"""A sample of the source: the model's inputs, and which rows are positive where the config says it."""

from dataclasses import dataclass, replace

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.expressions.spark_evaluator import derive_spark_columns
from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.column_checks import check_source_columns
from sparkscore.pipelines.optimization.optimization_run import OptimizationRun
from sparkscore.pipelines.shared.joined_source import load_unlanded_rows
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.source_landing import NOT_LANDED
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier

_TRUTH = "_sparkscore_truth"


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of the source, in this process's memory."""

    columns: tuple[pa.Array, ...]
    """The model's inputs, in its order."""
    truth: pa.Array | None
    """Whether a row is positive; NULL where the answer is not known. None without `optimize.label`."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.columns[0])


def read_sample(run: OptimizationRun, plan: Plan) -> Sample:
    """The rows with the least hashes of their keys: spread over the table, the same ones for the same version.

    Jobs:    one that reads the columns.
    Raises:  ConfigError where no row meets the filter, and for a label that does not fit the source.
    """
    options = run.settings.optimize
    read = tuple(name for name in plan.model_columns if name is not None)
    frame = derive_spark_columns(_source_frame(run, plan), plan.derived.expressions)
    keys = [F.col(quote_identifier(name)) for name in run.settings.source.keys]
    chosen = [F.col(quote_identifier(name)).alias(str(index)) for index, name in enumerate(read)]
    if options.label is not None:
        chosen.append(_truth_column(run, plan).alias(_TRUTH))
    rows = frame.orderBy(F.xxhash64(*keys), *keys).limit(options.sample_rows).select(*chosen)
    with translate_spark_errors(f"reading rows of {plan.snapshot.table.name}"):
        table = rows.toArrow().combine_chunks()
    if not table.num_rows:
        raise ConfigError(
            f"{plan.snapshot.table.name} has no rows that meet the filter",
            "rows to calibrate and to measure on",
            "change source.where or source.version",
        )
    run.report = replace(run.report, rows=table.num_rows)
    columns = tuple(_to_array(table.column(str(index))) for index in range(len(read)))
    return Sample(columns, None if options.label is None else _to_array(table.column(_TRUTH)))


def _source_frame(run: OptimizationRun, plan: Plan) -> DataFrame:
    label = run.settings.optimize.label
    more = () if label is None else (label.column,)
    columns = tuple(dict.fromkeys((*plan.snapshot.columns, *more)))
    if plan.snapshot.table_id == NOT_LANDED:
        return load_unlanded_rows(run.attempt, plan.snapshot).selectExpr(*map(quote_identifier, columns))
    return ingest.snapshot_frame(run.attempt.spark, replace(plan.snapshot, columns=columns))


def _truth_column(run: OptimizationRun, plan: Plan) -> Column:
    label = run.settings.optimize.label
    assert label is not None  # noqa: S101  asked before
    condition, schema = label.to_condition(), plan.snapshot.schema
    name = plan.snapshot.table.name
    check_source_columns(schema, table=name, keys=(), passthrough=(), where=(condition,), sensitive=(), names={})
    return to_spark_filter((condition,), schema)


def _to_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
