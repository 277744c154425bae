"""The publish: rejects are appended, then one MERGE makes a run visible, and its rows prove it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PinsConflict, TableChanged
from sparkscore.records import Publication, Run, RunCommitNote
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import GONE_COLUMN, LINEAGE_COLUMNS, REJECTS_CONTRACT
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.isolated_session import create_guarded_session
from sparkscore.spark.reject_column import reject_parts
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.commit_history import count_rows_by_run, find_run_commit
from sparkscore.store.guarded_writes import MergeCounts, append_rows_once, as_of_condition, merge_into_table
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

log = structlog.get_logger("sparkscore")

_ROWS_PER_FILE = 500_000
"""The least number of rows in a file of the prediction table, if there are as many: some 10 MB."""


@dataclass(frozen=True, slots=True)
class RowsToPublish:
    """What a run publishes."""

    build: Callable[[SparkSession], DataFrame]
    """The rows, built in a session that is given to it: unique keys, the table's columns but for a run's constants."""
    names: Sequence[str]
    """The table's columns, in order."""
    scored: int
    """How many rows there are."""
    rejected: int


def publish_run(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]) -> Publication:
    """The commit that made the run's rows visible in a table that is there.

    The proof is the number of rows inserted into an as_of without rows, or else a count of the visible rows.
    If a later revision is visible instead, its publication is returned: this run is superseded.

    Jobs:    one MERGE, skipped by Delta where this revision is committed already; a count where it did not only insert.
    Raises:  PublishConflict, PinsConflict when another run took the revision, TableChanged.
    """
    note = RunCommitNote.of(run, rows=rows.scored, rejected=rows.rejected).to_json()
    session = create_guarded_session(target.spark, app_id=run.txn_app_id, version=run.revision, note=note)
    own = rows.build(session).coalesce(-(-max(rows.scored, 1) // _ROWS_PER_FILE))
    source = _build_merge_source(own, run, target.in_session(session), rows.names, keys=keys)
    # Nothing of this as_of is visible: no row can match, and inserting alone is half of the work. Whoever publishes it
    # at this moment has the same guard, and one of the two is skipped or told of a conflict.
    fresh = run.revision == 1 and not count_rows_by_run(target, run.as_of)
    merged = _merge_run_rows(source, run, target, keys=keys, fresh=fresh)
    if not (fresh and merged is not None and merged.inserted == rows.scored):
        later = _verify_visible_rows(run, target, rows.scored)
        if later is not None:
            return later
    commit = find_run_commit(target, run.run_id)
    version = commit.version if commit else None
    removed = merged.deleted if merged else None
    committed = merged is not None
    return Publication(
        target.name, version, run.run_id, run.revision, rows.scored, removed=removed, committed=committed
    )


def _merge_run_rows(
    source: DataFrame, run: Run, target: Table, *, keys: Sequence[str], fresh: bool
) -> MergeCounts | None:
    """What the MERGE did, as far as it is known; None if Delta skipped a commit that it has seen.

    An error at a commit does not say that nothing was committed: the history does.
    """
    try:
        return merge_into_table(source, target, keys=keys, as_of=run.as_of, fresh=fresh)
    except Exception as error:
        if not _has_run_commit(run, target):
            raise
        log.warning(
            "the MERGE raised an error, but the table's history holds its commit",
            error=shorten_redacted(str(error), 300),
        )
        return MergeCounts(0, None)


def _has_run_commit(run: Run, target: Table) -> bool:
    try:
        return find_run_commit(target, run.run_id) is not None
    except Exception:  # noqa: BLE001  the store is gone: the error of the MERGE is the one to tell
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
    named = [_hash_key_column(name) if name in sensitive else F.col(quote_identifier(name)) for name in keys]
    key = F.to_json(F.struct(*named), {"ignoreNullFields": "false"}).alias("key")
    frame = rejected.select(key, *reject_parts(), *lineage_literals(run))
    append_rows_once(frame, table, app_id=rejects_guard(run), version=1)


def rejects_guard(run: Run) -> str:
    """Delta's application id of a run's rejects. By run, not by revision: two runs may have worked on one revision."""
    return f"sparkscore/rejects/{run.run_id}"


def _hash_key_column(name: str) -> Column:
    return F.sha2(F.col(quote_identifier(name)).cast("string").cast("binary"), 256).alias(name)


def _build_merge_source(
    own: DataFrame, run: Run, target: Table, names: Sequence[str], *, keys: Sequence[str]
) -> DataFrame:
    """The rows with the run's constants; from revision 2 on also the keys that they no longer have."""
    source = own.select(*(F.col(quote_identifier(name)) for name in own.columns), *lineage_literals(run)).select(
        *(quote_identifier(name) for name in names)
    )
    if run.revision == 1:
        return source
    key_columns = [quote_identifier(key) for key in keys]
    before = target.load_rows().where(as_of_condition(run.as_of)).select(*key_columns)
    gone = before.join(own.select(*key_columns), on=list(keys), how="left_anti").select(
        *key_columns, F.lit(True).alias(GONE_COLUMN)
    )
    return source.withColumn(GONE_COLUMN, F.lit(False)).unionByName(gone, allowMissingColumns=True)


def lineage_literals(run: Run) -> list[Column]:
    """The columns that are constant for a run, as literals of the contract's types."""
    moment = run.as_of.astimezone(UTC)
    values: dict[str, object] = {
        "model_name": run.pins.model_name,
        "model_version": run.pins.model_version,
        "model_id": run.model_id,
        "run_id": run.run_id,
        "source_version": run.pins.source_version,
        "as_of": moment,
        "as_of_date": moment.date(),
        "scored_at": datetime.now(UTC),
    }
    return [
        F.lit(values[column.name]).cast(arrow_to_spark_type(column.type)).alias(column.name)
        for column in LINEAGE_COLUMNS
    ]


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
