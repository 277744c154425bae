"""Lands the changes that a run scores, so that from then on it reads a Delta table, as every other run."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.ingest.changed_rows import ChangedRows, find_changed_rows
from sparkscore.ingest.snapshot import snapshot_frame
from sparkscore.pipelines.shared.read_choice import ReadChoice
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.latest_view import latest_predictions
from sparkscore.records import (
    ChangeRange,
    LandedChanges,
    PinnedTable,
    ReportedIncrement,
    RowsOrigin,
    Snapshot,
    json_digest,
)
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import name_expression
from sparkscore.store.landed_changes import ChangeLanding
from sparkscore.store.landing_tables import changes_folder_name


def read_chosen_rows(attempt: Attempt, snapshot: Snapshot, choice: ReadChoice, *, lands: bool) -> Snapshot:
    """The snapshot of the rows that a run scores; without `lands` that of the source, and nothing is written.

    Needs:   the snapshot of the source at the version that was chosen.
    Jobs:    as `land_changes`.
    Raises:  as `land_changes`.
    """
    changes = choice.changes
    if changes is not None and lands:
        return land_changes(attempt, snapshot, changes)
    since = None if changes is None else changes.since
    told = ReportedIncrement(since, choice.until, reason=choice.reason, on_delete=attempt.settings.source.on_delete)
    if changes is None and lands and told.on_delete != "keep":
        attempt.changes = land_missing_keys(attempt, snapshot)
        told = replace(told, rows_deleted=0 if attempt.changes is None else attempt.changes.deleted)
    attempt.report = replace(attempt.report, increment=told)
    return snapshot


def land_missing_keys(attempt: Attempt, snapshot: Snapshot) -> LandedChanges | None:
    """The keys that have predictions, and no row in the source any more, for a run that scores all rows; None where
    nobody had any.

    Jobs:    one that compares the keys; none where an attempt has landed them, or nothing is published.
    Raises:  AccessDenied, PublishConflict.
    """
    if not attempt.target.exists():
        return None
    where = [condition.model_dump() for condition in attempt.settings.source.where]
    landing = _open_landing(attempt, ["missing", snapshot.table_id, snapshot.version, snapshot.keys, where])
    landed = landing.find()
    if landed is None:
        with attempt.phase("changes"):
            nothing = pa.schema([snapshot.schema.field(key) for key in snapshot.keys]).empty_table()
            found = ChangedRows(nothing, _find_missing_keys(attempt, snapshot), "Spark compared the keys")
            changes = ChangeRange(snapshot.table_id, snapshot.version, snapshot.version)
            landed = _land_found_rows(attempt, landing, changes, found)
    return landed


def _find_missing_keys(attempt: Attempt, snapshot: Snapshot) -> DataFrame:
    names, keys = attempt.settings.output_names, snapshot.keys
    earlier = attempt.target.load_rows().where(F.col("as_of") < F.lit(attempt.as_of))
    known = latest_predictions(earlier, keys=attempt.settings.output_keys).selectExpr(
        *(name_expression(quote_identifier(names[key]), key) for key in keys)
    )
    there = snapshot_frame(attempt.spark, replace(snapshot, columns=keys))
    return known.join(there, on=list(keys), how="left_anti")


def land_changes(attempt: Attempt, snapshot: Snapshot, changes: ChangeRange) -> Snapshot:
    """The changed rows of a range as a snapshot of their own; the source's own snapshot where nothing changed.

    Needs:   the snapshot of the source at the end of the range.
    Jobs:    as `find_changed_rows`; none where an attempt has landed them.
    Raises:  as `find_changed_rows`; PublishConflict.
    """
    if changes.since == changes.until:
        return _report_changes(attempt, snapshot, changes, None)
    where = [condition.model_dump() for condition in attempt.settings.source.where]
    compared = sorted(_compared_columns(snapshot))
    landing = _open_landing(attempt, [changes.source_id, changes.since, changes.until, snapshot.keys, compared, where])
    landed = landing.find()
    if landed is None:
        with attempt.phase("changes"):
            whole = replace(snapshot, columns=tuple(snapshot.schema.names))
            found = find_changed_rows(attempt.source, whole, changes, compare=_compared_columns(snapshot))
            landed = _land_found_rows(attempt, landing, changes, found)
    return _report_changes(attempt, snapshot, changes, landed)


def _report_changes(
    attempt: Attempt, snapshot: Snapshot, changes: ChangeRange, landed: LandedChanges | None
) -> Snapshot:
    counts = (0, 0) if landed is None else (landed.changed, landed.deleted)
    told = ReportedIncrement(changes.since, changes.until, *counts, on_delete=attempt.settings.source.on_delete)
    attempt.changes = landed
    attempt.report = replace(attempt.report, increment=told)
    if landed is None or not counts[0]:
        return snapshot
    table = attempt.open_table(landed.rows_table)
    return replace(
        snapshot,
        table=table.ref,
        table_id=table.id,
        version=landed.rows.version,
        where=(),
        origin=RowsOrigin(PinnedTable(snapshot.table_id, snapshot.version)),
    )


def _compared_columns(snapshot: Snapshot) -> Sequence[str]:
    return [name for name in snapshot.columns if name in snapshot.schema.names]


def _open_landing(attempt: Attempt, identity: Sequence[object]) -> ChangeLanding:
    """Needs:   all that decides which rows, and which columns of them, are landed."""
    folder = f"{attempt.settings.landing_uri}/{changes_folder_name(attempt.as_of)}"
    return ChangeLanding(attempt.spark, attempt.source.name, folder, json_digest(list(identity)), attempt.settings.job)


def _land_found_rows(
    attempt: Attempt, landing: ChangeLanding, changes: ChangeRange, found: ChangedRows
) -> LandedChanges | None:
    """None where nothing changed."""
    kept: list[DataFrame] = []
    try:
        with translate_spark_errors(f"reading the changes {changes.description} of {attempt.source.name}"):
            counts = tuple(_count_rows(part, kept) for part in (found.rows, found.deleted))
        if not any(counts):
            return None
        return landing.write(changes, found.rows, found.deleted, (counts[0], counts[1]))
    finally:
        for frame in kept:
            frame.unpersist()


def _count_rows(part: pa.Table | DataFrame, kept: list[DataFrame]) -> int:
    """How many rows there are; those of a frame are kept, to be written."""
    if isinstance(part, pa.Table):
        return int(part.num_rows)
    kept.append(part.persist(StorageLevel.DISK_ONLY))
    return part.count()
