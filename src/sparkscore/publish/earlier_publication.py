"""An earlier publication of an as_of, read from an older version of the prediction table, and what would change."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from sparkscore.errors import ConfigError
from sparkscore.publish.publish_run import rejects_guard
from sparkscore.publish.rows_to_publish import lineage_literals
from sparkscore.records import RowChanges, Run, RunEvent
from sparkscore.schemas import MODEL_LINEAGE, REJECT_TYPE, RUN_CONSTANTS
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import text_literal
from sparkscore.spark.type_widening import align_columns, compare_types
from sparkscore.store.guarded_writes import append_rows_once, as_of_condition
from sparkscore.store.table import Table


def load_published_rows(target: Table, publication: RunEvent, *, version: int | None = None) -> DataFrame:
    """A run's rows, now or at a version of the prediction table, without the columns that are constant for the run.

    They have the columns that the table has now: NULL where it has got one since.

    Raises:  VersionGone if the log no longer has the version.
    """
    of_run = f"run_id = {text_literal(publication.run_id or '')}"
    rows = target.load_rows(version).where(f"{as_of_condition(publication.as_of)} AND {of_run}")
    constant = RUN_CONSTANTS.difference(MODEL_LINEAGE if publication.pins and publication.pins.has_groups else ())
    own_fields = [field for field in target.load_rows().schema if field.name not in constant]
    return rows.selectExpr(*align_columns(rows.schema, own_fields))


def check_earlier_columns(target: Table, *, version: int, keys: Sequence[str]) -> tuple[str, ...]:
    """The table's columns, if they can hold what it held at the version, and the keys are those of the table.

    Raises:  ConfigError with the difference, VersionGone.
    """
    now, then = target.load_rows().schema, target.load_rows(version).schema
    differences = [one for one in compare_types(now, then) if one.kind != "unwritten"]
    if differences:
        raise ConfigError(
            f"{target.name} cannot hold what it held at version {version}: "
            + ", ".join(f"{one.name} was {one.wanted.simpleString()}" for one in differences if one.wanted),
            "the columns that it had then, with the same or wider types",
            "score again with --replace",
        )
    own = [field.name for field in now if not field.nullable and field.name not in RUN_CONSTANTS]
    if set(own) != set(keys):
        raise ConfigError(
            f"source.keys names {', '.join(keys)}",
            f"the keys of {target.name}: {', '.join(own)}",
            "name the table's keys",
        )
    return tuple(now.names)


def count_row_changes(then: DataFrame, now: DataFrame, *, keys: Sequence[str]) -> RowChanges:
    """What changes for readers if `then` takes the place of `now`. Reads all of both, so that missing files are found.

    Needs:   unique keys, the same columns in both.
    Jobs:    one Spark job that joins them.
    Raises:  VersionGone.
    """
    then, now = (side.drop(*MODEL_LINEAGE) for side in (then, now))  # whose value it is, is no value
    sides = [_pack_by_key(then, keys, "_then"), _pack_by_key(now, keys, "_now")]
    joined = sides[0].join(sides[1], on=list(keys), how="full")
    before, after = F.col("_now"), F.col("_then")
    with translate_spark_errors("comparing the visible rows with an earlier version"):
        counted = joined.agg(
            F.count(before).alias("rows_before"),
            F.count(after).alias("rows_after"),
            F.count_if(after.isNull()).alias("keys_removed"),
            F.count_if(before.isNull()).alias("keys_added"),
            F.count_if(before.isNotNull() & after.isNotNull() & ~before.eqNullSafe(after)).alias("keys_changed"),
        ).collect()[0]
    return RowChanges(**counted.asDict())


def copy_run_rejects(run: Run, target: Table, *, of_run: str) -> None:
    """Copy the rejects of an earlier run to the run that publishes its rows again.

    Jobs:    one Spark job where there are any.
    Raises:  PublishConflict, AccessDenied.
    """
    table = target.sibling("_rejects")
    if not table.exists():
        return
    names = ["key", *(field.name for field in REJECT_TYPE)]
    rows = table.load_rows().where(f"run_id = {text_literal(of_run)}")
    frame = rows.selectExpr(*names, *lineage_literals(run).values())
    append_rows_once(frame, table, app_id=rejects_guard(run), version=1)


def _pack_by_key(frame: DataFrame, keys: Sequence[str], name: str) -> DataFrame:
    """The keys, and all other columns as one."""
    others = [_to_comparable_column(field) for field in frame.schema if field.name not in keys]
    return frame.select(*(quote_identifier(key) for key in keys), F.struct(*others).alias(name))


def _to_comparable_column(field: StructField) -> Column:
    """The column; Spark compares no maps, so one that holds them as JSON."""
    column = F.col(quote_identifier(field.name))
    return (F.to_json(F.struct(column)) if "map<" in field.dataType.simpleString() else column).alias(field.name)
