"""The publish: rejects are appended, then one commit makes a run visible, and its rows prove it."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from pyspark.sql import DataFrame

from sparkscore.errors import PinsConflict, TableChanged
from sparkscore.publish.key_removal import count_removed_rows
from sparkscore.publish.rows_to_publish import RowsToPublish, lineage_literals
from sparkscore.publish.run_rows_commit import CommitReport, commit_run_rows
from sparkscore.records import Publication, Run, RunCommitNote
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import REJECT_COLUMN, REJECT_TYPE, REJECTS_CONTRACT
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.lost_session import is_session_lost
from sparkscore.spark.sql_texts import struct_text
from sparkscore.store.commit_history import count_rows_by_run, find_run_commit
from sparkscore.store.guarded_writes import append_rows_once
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

log = structlog.get_logger("sparkscore")


def publish_run(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]) -> Publication:
    """The commit that made the run's rows visible in a table that is there.

    The proof is the count of the visible rows by run. Where only Spark could count them, the number of rows that a
    MERGE inserted into an as_of without rows is one, too.
    If a later revision is visible instead, its publication is returned: this run is superseded.

    Jobs:    one append into an as_of without rows, else one MERGE, or a replacement of its rows where the session lets
             nobody guard a MERGE; skipped by Delta where this revision is committed already. A count where only Spark
             reaches the table, and the MERGE did not only insert.
    Raises:  PublishConflict, PinsConflict when another run took the revision, TableChanged.
    """
    note = replace(
        RunCommitNote.of(run, rows=rows.scored, rejected=rows.rejected),
        marked=rows.marked,
        removed=count_removed_rows(rows, run, target, keys=keys),
    )
    made = _try_commit(rows, run, target, keys=keys, note=note)
    if not made.is_proven:
        later = _verify_visible_rows(run, target, rows.scored)
        if later is not None:
            return later
    commit = find_run_commit(target, run.run_id)
    committed = commit.note.writer == note.writer if commit else made.is_reported
    version, removed = commit.version if commit else None, made.deleted if committed else None
    if removed is not None:
        removed -= sum(note.removed.values())  # what is left is of the as_of itself
    return Publication(
        target.name,
        version,
        run.run_id,
        run.revision,
        rows.scored,
        removed=removed,
        committed=committed,
        removed_earlier=commit.note.removed if commit else note.removed,
    )


def _try_commit(
    rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str], note: RunCommitNote
) -> CommitReport:
    """Commit the rows. An error at a commit does not say that nothing was committed: the history does."""
    try:
        return commit_run_rows(rows, run, target, keys=keys, note=note.to_json())
    except Exception as error:
        if is_session_lost(error) or not _has_run_commit(run, target):
            raise
        log.warning(
            "the publish raised an error, but the table's history holds its commit",
            error=shorten_redacted(str(error), 300),
        )
        return CommitReport()


def _has_run_commit(run: Run, target: Table) -> bool:
    try:
        return find_run_commit(target, run.run_id) is not None
    except Exception:  # noqa: BLE001  the store is gone: the error of the commit is the one to tell
        return False


def keep_rejects(
    rejected: DataFrame, run: Run, target: Table, *, keys: Sequence[str], sensitive: Sequence[str] = ()
) -> None:
    """Append a stage's rejected rows to the table of rejects, once per run: key and reason, never values.

    Sensitive keys are stored as the sha256 of their text: who knows a key can find its reject, and nobody can read it.

    Jobs:    one Spark job where there are any.
    Raises:  PublishConflict, AccessDenied, ForeignTable.
    """
    table = target.sibling("_rejects")
    ensure_table(table, REJECTS_CONTRACT, job=run.job)
    named = {name: _hash_expression(name) if name in sensitive else quote_identifier(name) for name in keys}
    key = f"to_json({struct_text(named)}, map('ignoreNullFields', 'false')) AS key"
    reasons = [f"{REJECT_COLUMN}.{field.name} AS {field.name}" for field in REJECT_TYPE]
    frame = rejected.selectExpr(key, *reasons, *lineage_literals(run).values())
    append_rows_once(frame, table, app_id=rejects_guard(run), version=1)


def rejects_guard(run: Run) -> str:
    """Delta's application id of a run's rejects. By run, not by revision: two runs may have worked on one revision."""
    return f"sparkscore/rejects/{run.run_id}"


def _hash_expression(name: str) -> str:
    return f"sha2(CAST(CAST({quote_identifier(name)} AS STRING) AS BINARY), 256)"


def _verify_visible_rows(run: Run, target: Table, scored: int) -> Publication | None:
    """None if the run's rows are visible, else the later revision that is visible.

    Delta skips a commit that it has seen, even if its rows are gone: only the rows prove a publication then.
    """
    visible = count_rows_by_run(target, run.as_of)
    expected = {run.run_id: scored} if scored else {}
    if visible != expected:
        others = sorted(set(visible) - {run.run_id})
        if others:
            later = find_run_commit(target, others[0])
            if later is not None and later.note.revision > run.revision:
                return Publication(target.name, later.version, others[0], later.note.revision, visible[others[0]])
            raise PinsConflict(
                f"{target.name} holds run {others[0][:12]} for this as_of",
                f"run {run.run_id[:12]}",
                "another run published first; --replace supersedes it",
            )
        gone = (
            ""
            if visible
            else "; its log says that they were published before, so `maintain` or somebody else removed them"
        )
        raise TableChanged(
            f"{target.name} holds {visible.get(run.run_id, 0):,} rows of run {run.run_id[:12]}{gone}",
            f"{scored:,}",
            "--force publishes again",
        )
    return None
