"""An earlier publication of an as_of, read from the prediction table's own past, and what readers would see change."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from sparkscore.errors import ConfigError
from sparkscore.publish.merge import lineage, rejects_guard
from sparkscore.records import Changes, Run, RunEvent, TableRef
from sparkscore.schemas import LINEAGE, REJECT
from sparkscore.store.failures import border
from sparkscore.store.names import beside, quoted
from sparkscore.store.tables import exists, load
from sparkscore.store.writes import append_once, in_as_of

_CONSTANT = frozenset(column.name for column in LINEAGE)


def published_rows(
    spark: SparkSession, target: TableRef, publication: RunEvent, *, version: int | None = None
) -> DataFrame:
    """A run's rows, now or at a version of the prediction table, without the columns that are constant for a run.

    Raises:  VersionGone where the log no longer knows the version.
    """
    rows = load(spark, target, version).where(in_as_of(publication.as_of) & (F.col("run_id") == publication.run_id))
    return rows.select(*(quoted(name) for name in rows.columns if name not in _CONSTANT))


def check_shape(spark: SparkSession, target: TableRef, *, version: int, keys: Sequence[str]) -> tuple[str, ...]:
    """The table's columns, where they are the same as at the version, and the keys are those that the table has.

    Raises:  ConfigError with the difference, VersionGone.
    """
    now, then = load(spark, target).schema, load(spark, target, version).schema
    differences = [f"{_shape(field)} now" for field in now if _shape(field) not in map(_shape, then)]
    differences += [f"{_shape(field)} then" for field in then if _shape(field) not in map(_shape, now)]
    if differences:
        raise ConfigError(
            f"{target.name} has another shape than at version {version}: {', '.join(differences)}",
            "the same columns and types",
            "score again with --replace",
        )
    own = [field.name for field in now if not field.nullable and field.name not in _CONSTANT]
    if set(own) != set(keys):
        raise ConfigError(
            f"source.keys {', '.join(keys)}", f"the keys of {target.name}: {', '.join(own)}", "name the table's keys"
        )
    return tuple(now.names)


def changes(then: DataFrame, now: DataFrame, *, keys: Sequence[str]) -> Changes:
    """What readers of `now` see change when `then` takes its place. All of both is read: files that are gone are found.

    Needs:   unique keys, the same columns in both.
    Jobs:    one Spark job that joins them.
    Raises:  VersionGone.
    """
    sides = [_by_key(then, keys, "_then"), _by_key(now, keys, "_now")]
    joined = sides[0].join(sides[1], on=list(keys), how="full")
    before, after = F.col("_now"), F.col("_then")
    with border("comparing what readers see with an earlier version"):
        counted = joined.agg(
            F.count(before).alias("rows_now"),
            F.count(after).alias("rows_then"),
            F.count_if(after.isNull()).alias("vanish"),
            F.count_if(before.isNull()).alias("appear"),
            F.count_if(before.isNotNull() & after.isNotNull() & ~before.eqNullSafe(after)).alias("change"),
        ).collect()[0]
    return Changes(**counted.asDict())


def keep_rejects_again(spark: SparkSession, run: Run, target: TableRef, *, of_run: str) -> None:
    """Keep the rejects of an earlier run for the run that publishes its rows again.

    Jobs:    one Spark job where there are any.
    Raises:  PublishConflict, AccessDenied.
    """
    table = beside(target, "_rejects")
    if not exists(spark, table):
        return
    names = ["key", *(field.name for field in REJECT)]
    frame = load(spark, table).where(F.col("run_id") == of_run).select(*names, *lineage(run))
    append_once(frame, table, app_id=rejects_guard(run), version=1)


def _by_key(frame: DataFrame, keys: Sequence[str], name: str) -> DataFrame:
    """The keys, and all other columns as one."""
    others = [_comparable(field) for field in frame.schema if field.name not in keys]
    return frame.select(*(quoted(key) for key in keys), F.struct(*others).alias(name))


def _comparable(field: StructField) -> Column:
    """The column; Spark compares no maps, so one that holds them as JSON."""
    column = F.col(quoted(field.name))
    return (F.to_json(F.struct(column)) if "map<" in field.dataType.simpleString() else column).alias(field.name)


def _shape(field: StructField) -> str:
    return f"{field.name} {field.dataType.simpleString()}"
