"""The commit that puts a challenger's rows into the table of challengers, once, in the place of its earlier ones."""

from dataclasses import replace

from sparkscore.errors import PublishConflict
from sparkscore.publish.few_rows import append_few_rows
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.publish.run_rows_commit import build_run_rows
from sparkscore.records import ChallengerRun, RunCommitNote
from sparkscore.spark.sql_texts import constant_text
from sparkscore.store.commit_history import count_rows_by_run, find_run_commit
from sparkscore.store.guarded_writes import insert_into_table, replace_rows_in_table
from sparkscore.store.table import Table


def publish_challenger_rows(rows: RowsToPublish, run: ChallengerRun, table: Table) -> bool:
    """Whether this call has made a challenger's rows visible; False where they were there already.

    Where the table certainly has no rows of the model version for the as_of it is one append, else one replacement of
    them; guarded by a transaction version that is greater than that of each earlier commit. The count of the visible
    rows by run proves it.

    Needs:   a table that is there.
    Jobs:    none for few rows; else one that appends, or two that replace.
    Raises:  PublishConflict, AccessDenied.
    """
    version = table.refresh().load_newest_version()  # before the rows are counted: whoever commits later is a conflict
    visible = count_rows_by_run(table, run.as_of)
    if visible.get(run.run_id) == rows.scored and rows.scored:
        return False
    guarded = replace(run, guard_version=version + 1)
    note = RunCommitNote.of(guarded, rows=rows.scored, rejected=rows.rejected).to_json()
    if _has_rows_of_model(table, run, visible):
        _replace_challenger_rows(rows, guarded, table, note)
    elif rows.scored and not append_few_rows(rows, guarded, table, keys=(), note=note):
        source = build_run_rows(rows, guarded, table.spark)
        insert_into_table(source, table, app_id=guarded.txn_app_id, version=guarded.txn_version, note=note)
    _verify_rows(table, run, rows.scored)
    return True


def _has_rows_of_model(table: Table, run: ChallengerRun, visible: dict[str, int]) -> bool:
    """Whether some of the visible rows may be of this model version: those of runs that nobody knows any more, too."""
    mine = (run.pins.model_name, run.pins.model_version)
    for run_id in visible:
        commit = find_run_commit(table, run_id)
        if commit is None or (commit.note.pins.model_name, commit.note.pins.model_version) == mine:
            return True
    return False


def _replace_challenger_rows(rows: RowsToPublish, run: ChallengerRun, table: Table, note: str) -> None:
    condition = " AND ".join(f"{name} = {constant_text(value)}" for name, value in run.rows_condition.items())
    replace_rows_in_table(
        lambda: build_run_rows(rows, run, table.spark),
        table,
        choose_rows=lambda: condition,
        app_id=run.txn_app_id,
        version=run.txn_version,
        note=note,
    )


def _verify_rows(table: Table, run: ChallengerRun, scored: int) -> None:
    visible = count_rows_by_run(table.refresh(), run.as_of).get(run.run_id, 0)
    if visible != scored:
        raise PublishConflict(
            f"{table.name} holds {visible:,} rows of run {run.run_id[:12]}",
            f"{scored:,}, as many as it has scored",
            "run it again: another attempt has published the same challenger with other settings",
        )
