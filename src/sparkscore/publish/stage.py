"""The stage: predictions that are written, judged, and not visible to readers."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PublishConflict, UnsureScan
from sparkscore.publish.progress import Progress, progress
from sparkscore.records import Place, Run, Stage, TableRef
from sparkscore.store.failures import border
from sparkscore.store.history import noted, notes
from sparkscore.store.places import place_of
from sparkscore.store.tables import exists, load
from sparkscore.store.writes import append

_NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""A stage is read whole."""


def stage_table(run: Run, root: str) -> TableRef:
    """Where a run's stage lies: runs with equal pins and as_of share it."""
    path = f"{root}/{run.job}/{folder_name(run.stage_id)}"
    return TableRef(path, path)


def folder_name(stage_id: str) -> str:
    """The stage's folder among those of its job."""
    return stage_id[:32]


def progress_of(spark: SparkSession, run: Run, root: str) -> Progress:
    """How far attempts with equal pins have come.

    Jobs:    one over the log of the stage, where there is one.
    Raises:  AccessDenied.
    """
    table = stage_table(run, root)
    return progress(notes(spark, table)) if exists(spark, table) else Progress()


def found(spark: SparkSession, run: Run, root: str) -> Stage | None:
    """The stage that attempts with equal pins have made whole; None where there is none.

    Jobs:    as `progress_of`, and a count where the commits do not tell the rows.
    """
    past = progress_of(spark, run, root)
    return whole(spark, run, root, past, chunks_reused=past.chunks) if past.whole else None


def whole(spark: SparkSession, run: Run, root: str, past: Progress, *, chunks_reused: int) -> Stage:
    """The record of a stage that is whole.

    Jobs:    none; a count where the commits do not tell the rows.
    """
    table = stage_table(run, root)
    total, rejected = (past.rows, past.rejected) if past.rows is not None else _counted(spark, table, past.version)
    return Stage(run.stage_id, str(table.path), past.version, total, rejected, chunks_reused, past.keys_ascend)


def written(spark: SparkSession, frame: DataFrame, run: Run, root: str, *, past: Progress) -> Progress:
    """The stage with the frame's rows, written in one idempotent commit. Here the rows are scored.

    Jobs:    one Spark job that scores.
    Raises:  PredictError, PublishConflict where another attempt works on the same stage by chunks, AccessDenied.
    """
    guard = {"txnAppId": stage_guard(run), "txnVersion": str(past.version + 1)}
    options = {**guard, **_NO_STATISTICS, "userMetadata": noted({"stage": "whole"})}
    append(frame, stage_table(run, root), options=options)
    now = progress_of(spark, run, root)
    if not now.whole:
        raise PublishConflict("another attempt scores the same stage in chunks", "one attempt", "run it again")
    return now


def emptied(spark: SparkSession, run: Run, root: str, *, past: Progress) -> Progress:
    """The stage without rows, ready for any transport: what was scored is thrown away in one commit.

    Jobs:    a small one.
    Raises:  PublishConflict, AccessDenied.
    """
    table = stage_table(run, root)
    nothing = load(spark, table).limit(0)
    guard = {"txnAppId": stage_guard(run), "txnVersion": str(past.version + 1)}
    options = {**guard, "userMetadata": noted({"stage": "reset"})}
    append(nothing, table, options=options, mode="overwrite")
    return progress_of(spark, run, root)


def place(spark: SparkSession, run: Run, root: str) -> Place | None:
    """Where tasks may write their files of the stage themselves; None where only Spark can."""
    try:
        return place_of(spark, stage_table(run, root))
    except UnsureScan:
        return None


def stage_guard(run: Run) -> str:
    """Delta's application id of the commits of a stage; the version of the table that a commit makes is its version."""
    return f"sparkscore/stage/{run.stage_id}"


def rows(spark: SparkSession, stage: Stage) -> DataFrame:
    """All rows of a stage, rejected ones too.

    Grain:   one row per source row.
    """
    return load(spark, TableRef(stage.path, stage.path), stage.version)


def accepted(spark: SparkSession, stage: Stage) -> DataFrame:
    """The rows of a stage that have a prediction, without `_reject`."""
    return rows(spark, stage).where(F.col("_reject").isNull()).drop("_reject")


def _counted(spark: SparkSession, table: TableRef, version: int) -> tuple[int, int]:
    with border(f"counting the stage {table.path}"):
        total, rejected = load(spark, table, version).agg(F.count(F.lit(1)), F.count("_reject")).collect()[0]
    return total, rejected
