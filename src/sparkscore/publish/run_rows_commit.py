"""The one commit that puts a run's rows into the prediction table: which kind of commit, and what guards it."""

from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import PinsConflict, UnsupportedSession
from sparkscore.publish.few_rows import append_few_rows
from sparkscore.publish.key_removal import add_removed_rows
from sparkscore.publish.rows_to_publish import RowsToPublish, lineage_literals
from sparkscore.records import Run
from sparkscore.schemas import GONE_COLUMN
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.isolated_session import create_guarded_session
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.store.commit_history import count_rows_by_run, find_rows_by_run, find_run_commit
from sparkscore.store.guarded_writes import (
    as_of_condition,
    insert_into_table,
    merge_into_table,
    replace_rows_in_table,
)
from sparkscore.store.table import Table

_SMALL_FILE, _LARGE_FILE = 8 << 20, 128 << 20
"""Bytes of the stage for a file of the prediction table: below the first, another task saves no time; beyond the second
readers gain nothing."""
_BYTES_PER_ROW = 20
"""Where nobody knows how large the rows are."""


class CommitReport(NamedTuple):
    """What a commit says of itself, before anybody asks the table."""

    deleted: int | None = None
    is_proven: bool = False
    """All rows are new, and it wrote as many as there are."""
    is_reported: bool = True
    """False: Delta skipped it."""


def commit_run_rows(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: str) -> CommitReport:
    """Append into an as_of that certainly has no rows, which needs no join and no session of its own; else merge.

    Whoever publishes the as_of at this moment has the same guard: of two commits one is skipped, or told of a conflict
    and then skipped. Against writers without it a MERGE is no safer: Delta lets it overtake their appends.

    Where the session lets nobody set the guard of a MERGE, the as_of's rows are replaced instead.

    Raises:  PublishConflict; PinsConflict where rows of others are there that no MERGE is to be had for.
    """
    if rows.load_removed_keys is not None:
        return _merge_and_remove(rows, run, target, keys=keys, note=note)
    visible = find_rows_by_run(target, run.as_of) if run.revision == 1 else None
    if visible is not None and not visible:
        return _append_to_as_of(rows, run, target, keys=keys, note=note)
    session = create_guarded_session(target.spark, app_id=run.txn_app_id, version=run.revision, note=note)
    if session is None:
        return _commit_by_options(rows, run, target, keys=keys, note=note)
    fresh = run.revision == 1 and visible is None and not count_rows_by_run(target, run.as_of)
    source = _build_merge_source(rows, run, target.in_session(session), keys=keys)
    merged = merge_into_table(source, target, keys=keys, as_of=run.as_of, fresh=fresh)
    if merged is None:
        return CommitReport(is_reported=False)
    return CommitReport(merged.deleted, is_proven=fresh and merged.inserted == rows.scored)


def _merge_and_remove(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: str) -> CommitReport:
    """One MERGE of the run's rows that also removes rows of earlier as_ofs.

    Raises:  as `commit_run_rows`; UnsupportedSession where the session lets nobody guard a MERGE.
    """
    session = create_guarded_session(target.spark, app_id=run.txn_app_id, version=run.revision, note=note)
    if session is None:
        raise UnsupportedSession(
            "the session lets nobody set the guard of a MERGE, which removes rows of several as_ofs at once",
            "a session whose settings of Delta's commits may be set",
            "use source.on_delete: mark, which appends rows, or a classic session",
        )
    own = _build_merge_source(rows, run, target.in_session(session), keys=keys)
    source, as_ofs = add_removed_rows(own, rows, run, target.in_session(session), keys=keys)
    merged = merge_into_table(source, target, keys=keys, as_of=run.as_of, further_as_ofs=as_ofs)
    return CommitReport(is_reported=False) if merged is None else CommitReport(merged.deleted)


def _append_to_as_of(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: str) -> CommitReport:
    if append_few_rows(rows, run, target, keys=keys, note=note):
        return CommitReport(deleted=0)
    source = build_run_rows(rows, run, target.spark)
    insert_into_table(source, target, app_id=run.txn_app_id, version=run.revision, note=note)
    return CommitReport(deleted=0)


def _commit_by_options(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: str) -> CommitReport:
    """The commit whose guard is in the writer's options: an append, or a replacement of the as_of's rows.

    Nothing is committed for a first revision whose as_of has rows already: they are its own, or others', which only a
    revision that says so may replace. The count that follows tells.
    """
    if run.revision == 1:
        if count_rows_by_run(target, run.as_of):
            return CommitReport(is_reported=False)
        return _append_to_as_of(rows, run, target, keys=keys, note=note)
    replacement = _Replacement(rows, run, target, tuple(keys))
    replace_rows_in_table(
        lambda: build_run_rows(rows, run, target.spark),
        target,
        choose_rows=replacement.choose_rows,
        app_id=run.txn_app_id,
        version=run.revision,
        note=note,
    )
    return CommitReport(replacement.gone)


class _Replacement:
    """The rows of an as_of that a run replaces: those that were there at first, and those that an earlier revision has
    published since. Those of others that come meanwhile are looked at again before they could be lost."""

    def __init__(self, rows: RowsToPublish, run: Run, target: Table, keys: Sequence[str]) -> None:
        self._rows, self._run, self._target, self._keys = rows, run, target, keys
        self._known: set[str] | None = None
        self.gone = 0
        """How many keys the as_of no longer has."""

    def choose_rows(self) -> str:
        """The condition of the rows to replace, once nobody else's are among them.

        Jobs:    one that compares the keys, where the as_of has rows.
        Raises:  PinsConflict for rows that another writer has added since.
        """
        run, found = self._run, count_rows_by_run(self._target.refresh(), self._run.as_of)
        self._known = set(found) if self._known is None else self._known
        for run_id in sorted(set(found) - self._known - {run.run_id}):
            commit = find_run_commit(self._target, run_id)
            if commit is None or commit.note.as_of != run.as_of:
                raise PinsConflict(
                    f"{self._target.name} got rows of run {run_id[:12] or '(none)'} for this as_of meanwhile",
                    f"those of run {run.run_id[:12]}",
                    "find out who else writes into the table; --replace supersedes these rows",
                )
        self.gone = self._count_gone_keys() if found else 0
        return as_of_condition(run.as_of)

    def _count_gone_keys(self) -> int:
        own = self._rows.build(self._target.spark)
        return _find_gone_keys(own, self._run, self._target, keys=self._keys).count()


def build_run_rows(rows: RowsToPublish, run: Run, spark: SparkSession) -> DataFrame:
    """The rows with the run's constants, in as many files as are worth it."""
    own = rows.build(spark).coalesce(_choose_file_count(rows, spark))
    constants = lineage_literals(run)
    return own.selectExpr(*(constants.get(name, quote_identifier(name)) for name in rows.names))


def _build_merge_source(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]) -> DataFrame:
    """The rows with the run's constants; from revision 2 on also the keys that they no longer have."""
    own = build_run_rows(rows, run, target.spark)
    if run.revision == 1:
        return own
    gone = _find_gone_keys(own, run, target, keys=keys).selectExpr("*", f"true AS {GONE_COLUMN}")
    return own.selectExpr("*", f"false AS {GONE_COLUMN}").unionByName(gone, allowMissingColumns=True)


def _find_gone_keys(own: DataFrame, run: Run, target: Table, *, keys: Sequence[str]) -> DataFrame:
    """The keys that the as_of has, and the run has not."""
    names = [quote_identifier(key) for key in keys]
    before = target.load_rows().where(as_of_condition(run.as_of)).selectExpr(*names)
    return before.join(own.selectExpr(*names), on=list(keys), how="left_anti")


def _choose_file_count(rows: RowsToPublish, spark: SparkSession) -> int:
    """At most so many files, of tasks that run at once: few rows make one, many fill all slots, none gets too large."""
    size = rows.scored * _BYTES_PER_ROW if rows.size is None else rows.size
    if size <= _SMALL_FILE:
        return 1
    return max(-(-size // _LARGE_FILE), min(count_task_slots(spark), -(-size // _SMALL_FILE)))
