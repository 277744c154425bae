"""Repairs a stage: replaces rejected rows by the predictions of a second scoring, in one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import DuplicateKeys
from sparkscore.records import Stage
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.guarded_writes import update_matched_rows


def find_rejected_rows(
    source: DataFrame, store: StageStore, stage: Stage, *, keys: Mapping[str, str]
) -> tuple[DataFrame, int]:
    """The source rows that the stage holds as rejects, and their number, without rows with a NULL key.

    Needs:   `keys`, column of the stage -> column of the source.
    Jobs:    two that count.
    Raises:  DuplicateKeys where a rejected key is there more than once, VersionGone.
    """
    has_key = reduce(Column.__and__, (F.col(quote_identifier(key)).isNotNull() for key in keys))
    named = [F.col(quote_identifier(key)).alias(column) for key, column in keys.items()]
    columns = [quote_identifier(column) for column in keys.values()]
    wanted = store.load_rows(stage).where(F.col(REJECT_COLUMN).isNotNull() & has_key).select(*named)
    found = source.join(wanted, on=list(keys.values()), how="left_semi")
    with translate_spark_errors("counting the rejected rows"):
        staged, distinct = wanted.agg(F.count(F.lit(1)), F.count_distinct(F.struct(*columns))).collect()[0]
        read = found.count() if staged else 0
    if not staged == distinct == read:
        raise DuplicateKeys(
            f"{distinct:,} rejected keys on {staged:,} rows of the stage and {read:,} of the source",
            "one row per rejected key",
            "name further columns in source.keys, or remove the duplicates from the source, and score again",
        )
    return found, staged


def replace_rejected_rows(frame: DataFrame, store: StageStore, stage: Stage, *, keys: Sequence[str]) -> Stage:
    """The stage with its rejected rows replaced by the frame's rows with their keys, in one commit.

    Rows with a prediction stay as they are, so that the same again changes nothing.

    Needs:   the stage's columns; unique keys.
    Jobs:    those of one MERGE, by which the rows are scored; a small one.
    Raises:  PredictError, PublishConflict, AccessDenied.
    """
    update_matched_rows(frame, store.table, keys=keys, where=f"t.{REJECT_COLUMN} IS NOT NULL")
    after = replace(stage, version=store.table.load_newest_version())
    with translate_spark_errors(f"counting the stage {stage.path}"):
        left = store.load_rows(after).agg(F.count(REJECT_COLUMN)).collect()[0][0]
    return replace(after, rejected=left)
