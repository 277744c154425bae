"""The stage: predictions that are written, judged, and not visible to readers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import UnsureScan
from sparkscore.records import Place, Run, Stage, TableRef
from sparkscore.store.failures import border
from sparkscore.store.files import commit_files
from sparkscore.store.places import place_of
from sparkscore.store.tables import exists, load, newest_version
from sparkscore.store.writes import append_once


def stage_table(run: Run, root: str) -> TableRef:
    """Where a run's stage lies: runs with equal pins and as_of share it."""
    path = f"{root}/{run.job}/{folder_name(run.stage_id)}"
    return TableRef(path, path)


def folder_name(stage_id: str) -> str:
    """The stage's folder among those of its job."""
    return stage_id[:32]


def found(spark: SparkSession, run: Run, root: str) -> Stage | None:
    """The stage that an earlier attempt with equal pins committed; None where there is none.

    Jobs:    one small Spark job.
    """
    table = stage_table(run, root)
    return _counted(spark, run, table, chunks_reused=1) if exists(spark, table) else None


def written(spark: SparkSession, frame: DataFrame, run: Run, root: str) -> Stage:
    """The stage with the frame's rows, written in one idempotent commit. Here the rows are scored.

    Jobs:    one Spark job that scores, and a small one.
    Raises:  PredictError, PublishConflict, AccessDenied.
    """
    table = stage_table(run, root)
    append_once(frame, table, app_id=f"sparkscore/stage/{run.stage_id}", version=1)
    return _counted(spark, run, table, chunks_reused=0)


def place(spark: SparkSession, run: Run, root: str) -> Place | None:
    """Where tasks may write their files of the stage themselves; None where only Spark can."""
    try:
        return place_of(spark, stage_table(run, root))
    except UnsureScan:
        return None


def committed(
    spark: SparkSession, parts: Sequence[Mapping[str, Any]], run: Run, root: str, *, place: Place, schema: pa.Schema
) -> Stage:
    """The stage with the files that tasks have written to its place, in one idempotent commit.

    Needs:   `parts`: path in the folder, rows, rejected, bytes; ascending, first and last of the leading key.
    Jobs:    none; small ones where another attempt was faster.
    Raises:  PublishConflict, AccessDenied.
    """
    table = stage_table(run, root)
    committed_at = commit_files(place, schema, parts, app_id=f"sparkscore/stage/{run.stage_id}", version=1)
    if committed_at is None:
        return _counted(spark, run, table, chunks_reused=0)
    rows, rejected = (sum(part[name] for part in parts) for name in ("rows", "rejected"))
    return Stage(run.stage_id, str(table.path), committed_at, rows, rejected, keys_ascend=_ascend(parts))


def _ascend(parts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the leading keys ascend in every file and no two files overlap: then no key is there twice."""
    if not all(part["ascending"] for part in parts):
        return False
    ordered = sorted(parts, key=lambda part: part["first"])
    return all(before["last"] < after["first"] for before, after in pairwise(ordered))


def rows(spark: SparkSession, stage: Stage) -> DataFrame:
    """All rows of a stage, rejected ones too.

    Grain:   one row per source row.
    """
    return load(spark, TableRef(stage.path, stage.path), stage.version)


def accepted(spark: SparkSession, stage: Stage) -> DataFrame:
    """The rows of a stage that have a prediction, without `_reject`."""
    return rows(spark, stage).where(F.col("_reject").isNull()).drop("_reject")


def _counted(spark: SparkSession, run: Run, table: TableRef, *, chunks_reused: int) -> Stage:
    version = newest_version(spark, table)
    with border(f"counting the stage {table.path}"):
        total, rejected = load(spark, table, version).agg(F.count(F.lit(1)), F.count("_reject")).collect()[0]
    return Stage(run.stage_id, str(table.path), version, total, rejected, chunks_reused)
