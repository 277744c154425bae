"""What a table's history and rows say about a run: the only proof that it is published."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

from pyspark.sql import functions as F

from sparkscore.records import RunCommit, RunCommitNote, parse_commit_note
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.guarded_writes import as_of_condition
from sparkscore.store.run_row_counts import count_logged_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import EXPIRED_PROPERTY


def count_rows_by_run(table: Table, as_of: datetime) -> dict[str, int]:
    """Visible rows per run_id of an as_of; empty if there is no table.

    Jobs:    none; one over two columns of one partition, where only Spark counts exactly, or counts faster.
    """
    if not table.exists():
        return {}
    found = find_rows_by_run(table, as_of)
    return _count_rows_by_spark(table, as_of) if found is None else found


def find_rows_by_run(table: Table, as_of: datetime) -> dict[str, int] | None:
    """Visible rows per run_id of an as_of by the table's files; None where only Spark is certain to know.

    Jobs:    none.
    Raises:  TableNotFound.
    """
    return table.ask_log(lambda log: count_logged_rows(log, as_of))


def _count_rows_by_spark(table: Table, as_of: datetime) -> dict[str, int]:
    with translate_spark_errors(f"counting {table.name}"):
        rows = (
            table.load_rows()
            .where(as_of_condition(as_of))
            .groupBy("run_id")
            .agg(F.count(F.lit(1)).alias("rows"))
            .collect()
        )
    return {row["run_id"] or "": row["rows"] for row in rows}


def load_commit_notes(table: Table) -> list[tuple[int, Mapping[str, Any]]]:
    """Version and note of every commit, oldest first; an empty note for commits of others.

    Raises:  TableNotFound, AccessDenied.
    """
    return [(version, parse_commit_note(text)) for version, text in table.load_user_metadata()]


def load_run_commits(table: Table) -> list[RunCommit]:
    """The commits that published a run, oldest first.

    Raises:  TableNotFound, AccessDenied.
    """
    found = ((version, RunCommitNote.from_json(text)) for version, text in table.load_user_metadata())
    return [RunCommit(version, note) for version, note in found if note is not None]


def iterate_run_commits(table: Table, *, after: int) -> Iterator[RunCommit]:
    """The commits that published a run after a version of the table, newest first; read as far as they are asked for.

    Raises:  TableNotFound, AccessDenied.
    """
    found = table.ask_log(lambda log: list(takewhile(lambda commit: commit[0] > after, log.iterate_user_metadata())))
    for version, text in table.load_user_metadata()[::-1] if found is None else found:
        note = RunCommitNote.from_json(text) if version > after else None
        if note is not None:
            yield RunCommit(version, note)


def find_run_commit(table: Table, run_id: str) -> RunCommit | None:
    """The commit that published a run; None if the history no longer holds it.

    Raises:  TableNotFound, AccessDenied.
    """
    found = table.find_commit(lambda text: _publishes_run(text, run_id))
    note = None if found is None else RunCommitNote.from_json(found[1])
    return None if found is None or note is None else RunCommit(found[0], note)


def load_committed_revision(table: Table, *, job: str, as_of: datetime) -> int:
    """The greatest revision of an as_of in the table's history, 0 without one; Delta's guard skips up to it.

    At least that of the as_ofs that retention has removed: the guards of those outlive their history.
    """
    if not table.exists():
        return 0
    notes = (commit.note for commit in load_run_commits(table))
    expired = int(table.properties.get(EXPIRED_PROPERTY, 0))
    return max([expired, *(note.revision for note in notes if (note.job, note.as_of) == (job, as_of))])


def _publishes_run(text: str, run_id: str) -> bool:
    note = RunCommitNote.from_json(text) if run_id in text else None  # the run's id is in few notes: parsing takes long
    return note is not None and note.run_id == run_id
