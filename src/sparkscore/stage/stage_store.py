"""The stage: predictions that are written, judged, and not visible to readers."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PublishConflict, ScanUnsupported
from sparkscore.records import Run, Stage, TableLocation, TableRef, format_commit_note
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.stage.stage_progress import StageProgress, progress_from_commits
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.delta_tables import is_delta_table, load_table
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table_location import locate_table

_NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""A stage is read whole."""


def stage_table(run: Run, root: str) -> TableRef:
    """The location of a run's stage: runs with equal pins and as_of share it."""
    path = f"{root}/{run.job}/{stage_folder_name(run.stage_id)}"
    return TableRef(path, path)


def stage_folder_name(stage_id: str) -> str:
    """The stage's folder among those of its job."""
    return stage_id[:32]


def load_stage_progress(spark: SparkSession, run: Run, root: str) -> StageProgress:
    """How far attempts with equal pins have come.

    Jobs:    one over the log of the stage, where there is one.
    Raises:  AccessDenied.
    """
    table = stage_table(run, root)
    return progress_from_commits(load_commit_notes(spark, table)) if is_delta_table(spark, table) else StageProgress()


def find_complete_stage(spark: SparkSession, run: Run, root: str) -> Stage | None:
    """The stage that attempts with equal pins have completed; None if there is none.

    Jobs:    as `load_stage_progress`, and a count where the commits do not tell the rows.
    """
    past = load_stage_progress(spark, run, root)
    return build_stage_record(spark, run, root, past, chunks_reused=past.chunks) if past.whole else None


def build_stage_record(spark: SparkSession, run: Run, root: str, past: StageProgress, *, chunks_reused: int) -> Stage:
    """The record of a stage that is whole.

    Jobs:    none; a count where the commits do not tell the rows.
    """
    table = stage_table(run, root)
    total, rejected = (
        (past.rows, past.rejected) if past.rows is not None else _count_stage_rows(spark, table, past.version)
    )
    return Stage(run.stage_id, str(table.path), past.version, total, rejected, chunks_reused, past.keys_ascend)


def write_stage(spark: SparkSession, frame: DataFrame, run: Run, root: str, *, past: StageProgress) -> StageProgress:
    """The stage with the frame's rows, written in one idempotent commit. Here the rows are scored.

    Jobs:    one Spark job that scores.
    Raises:  PredictError, PublishConflict where another attempt works on the same stage by chunks, AccessDenied.
    """
    guard = {"txnAppId": stage_guard(run), "txnVersion": str(past.version + 1)}
    options = {**guard, **_NO_STATISTICS, "userMetadata": format_commit_note({"stage": "whole"})}
    append_rows(frame, stage_table(run, root), options=options)
    now = load_stage_progress(spark, run, root)
    if not now.whole:
        raise PublishConflict(
            "another attempt scores the same stage in chunks", "one attempt at a time", "run it again"
        )
    return now


def reset_stage(spark: SparkSession, run: Run, root: str, *, past: StageProgress) -> StageProgress:
    """Empty the stage, in one commit, so that any transport can write it.

    Jobs:    a small one.
    Raises:  PublishConflict, AccessDenied.
    """
    table = stage_table(run, root)
    nothing = load_table(spark, table).limit(0)
    guard = {"txnAppId": stage_guard(run), "txnVersion": str(past.version + 1)}
    options = {**guard, "userMetadata": format_commit_note({"stage": "reset"})}
    append_rows(nothing, table, options=options, mode="overwrite")
    return load_stage_progress(spark, run, root)


def find_stage_location(spark: SparkSession, run: Run, root: str) -> TableLocation | None:
    """Where tasks may write their files of the stage themselves; None where only Spark can."""
    try:
        return locate_table(spark, stage_table(run, root))
    except ScanUnsupported:
        return None


def stage_guard(run: Run) -> str:
    """Delta's application id of the commits of a stage; the version of the table that a commit makes is its version."""
    return f"sparkscore/stage/{run.stage_id}"


def load_stage_rows(spark: SparkSession, stage: Stage) -> DataFrame:
    """All rows of a stage, rejected ones too.

    Grain:   one row per source row.
    """
    return load_table(spark, TableRef(stage.path, stage.path), stage.version)


def load_scored_rows(spark: SparkSession, stage: Stage) -> DataFrame:
    """The rows of a stage that have a prediction, without `_reject`."""
    return load_stage_rows(spark, stage).where(F.col(REJECT_COLUMN).isNull()).drop(REJECT_COLUMN)


def _count_stage_rows(spark: SparkSession, table: TableRef, version: int) -> tuple[int, int]:
    with translate_spark_errors(f"counting the stage {table.path}"):
        total, rejected = load_table(spark, table, version).agg(F.count(F.lit(1)), F.count(REJECT_COLUMN)).collect()[0]
    return total, rejected
