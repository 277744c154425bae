"""Keys that the source no longer has, as a publication shows them: marks beside its predictions."""

from collections.abc import Callable
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType

from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.schemas import DELETED_COLUMN, MODEL_LINEAGE, RUN_CONSTANTS
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import name_expression, null_literal
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.table import Table


def count_marks(attempt: Attempt) -> int:
    """How many rows of the publication say that the source no longer has a key."""
    told = attempt.report.increment
    return 0 if told is None else told.rows_marked


def add_marks(attempt: Attempt, plan: Plan, rows: DataFrame) -> DataFrame:
    """The rows to publish with the marks of deleted keys, where the job has such; in the session of the rows.

    Grain:   as before, and one row per deleted key.
    """
    if DELETED_COLUMN not in plan.contract.names:
        return rows
    own = rows.selectExpr("*", name_expression("false", DELETED_COLUMN))
    if not count_marks(attempt):
        return own
    return own.unionByName(mark_deleted_keys(attempt, plan, rows.sparkSession))


def mark_deleted_keys(attempt: Attempt, plan: Plan, spark: SparkSession) -> DataFrame:
    """A row for each deleted key, with the table's columns: NULL but for the key and the mark."""
    keys = load_deleted_keys(attempt, plan, spark)
    values = {DELETED_COLUMN: "true"} | {name: quote_identifier(name) for name in keys.columns}
    constant = RUN_CONSTANTS.difference(MODEL_LINEAGE if plan.groups is not None else ())
    own = [column for column in plan.contract.columns if column.name not in constant]
    nothing = {column.name: null_literal(arrow_to_spark_type(column.type)) for column in own}
    return keys.selectExpr(*(name_expression(values.get(one.name, nothing[one.name]), one.name) for one in own))


def choose_removed_keys(attempt: Attempt, plan: Plan) -> Callable[[SparkSession], DataFrame] | None:
    """The keys whose predictions of earlier as_ofs the publication removes; None where it removes none."""
    told = attempt.report.increment
    if told is None or told.on_delete != "delete" or not told.rows_deleted:
        return None
    return partial(load_deleted_keys, attempt, plan)


def load_deleted_keys(attempt: Attempt, plan: Plan, spark: SparkSession) -> DataFrame:
    """The deleted keys that were landed, by their names in the prediction table; none where none were."""
    names = attempt.settings.output_names
    if attempt.changes is None or not attempt.changes.deleted:
        kinds = {column.name: arrow_to_spark_type(column.type) for column in plan.contract.columns}
        fields = [StructField(name, kinds[name]) for name in attempt.settings.output_keys]
        return create_frame(spark, [], StructType(fields))
    rows = Table(spark, attempt.changes.deleted_table).load_rows()
    keys = attempt.settings.source.keys
    return rows.selectExpr(*(name_expression(quote_identifier(key), names[key]) for key in keys))
