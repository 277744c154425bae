"""The table of a job's reused predictions: what is looked up in it, what is added, and how long rows stay."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.records import Run, format_commit_note
from sparkscore.schemas import (
    INPUTS_HASH_COLUMN,
    PREDICTION_COLUMN,
    REJECT_COLUMN,
    SCORER_COLUMN,
    USED_ON_COLUMN,
    reused_contract,
)
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.isolated_session import create_noted_session
from sparkscore.spark.sql_texts import date_literal
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.guarded_writes import append_rows, retry_on_conflict, update_matched_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_growth import to_spark_schema
from sparkscore.store.table_transaction import TableTransaction

FOUND_COLUMN = "_sparkscore_found"
"""Of what is looked up: a struct of the prediction, so that a prediction that is NULL is told from none."""
_TOUCHED = "touched"


@dataclass(frozen=True, slots=True)
class ReusedPredictions:
    """The table as one run sees it: the predictions of one scorer."""

    table: Table
    scorer: str
    """sha256 over all but the row that decides on a prediction."""
    run: Run
    output: pa.DataType

    def ensure(self) -> None:
        """Create the table if it is absent. One that holds predictions of another type begins anew: they are of
        another model.

        Raises:  ForeignTable, AccessDenied.
        """
        contract, job = reused_contract(self.output), self.run.job
        with suppress(ConfigError):
            ensure_table(self.table, contract, job=job)
            return
        transaction = TableTransaction.open(self.table, {"job": job, "began_anew": str(self.output)})
        schema = to_spark_schema(contract.columns)
        nothing = create_frame(transaction.table.spark, [], schema)
        transaction.commit(schema=schema, properties={}, rows=nothing)
        self.table.refresh()

    def load(self) -> DataFrame:
        """`inputs_hash` and `FOUND_COLUMN`.

        Grain:   one row per hash: of two predictions the older one, so that all rows of a run get the same.
        Jobs:    none.
        """
        oldest = F.min_by(F.struct(PREDICTION_COLUMN), F.struct("created_at", "run_id"))
        return self._load_own_rows().groupBy(INPUTS_HASH_COLUMN).agg(oldest.alias(FOUND_COLUMN))

    def load_hashes(self) -> DataFrame:
        """The hashes that have a prediction; one may come twice.

        Jobs:    none.
        """
        return self._load_own_rows().select(INPUTS_HASH_COLUMN)

    def append(self, staged: DataFrame, *, guard: str, version: int) -> None:
        """Add the predictions of a stage's rows, once for each version of it; rejects are left out.

        Jobs:    one Spark job, none where it is done already.
        Raises:  PublishConflict, AccessDenied.
        """
        now = datetime.now(UTC)
        predicted = staged.where(f"{REJECT_COLUMN} IS NULL") if REJECT_COLUMN in staged.columns else staged
        rows = predicted.select(
            F.lit(self.scorer).alias(SCORER_COLUMN),
            INPUTS_HASH_COLUMN,
            F.col(PREDICTION_COLUMN).cast(arrow_to_spark_type(self.output)).alias(PREDICTION_COLUMN),
            F.lit(now).cast("timestamp").alias("created_at"),
            F.lit(self.run.run_id).alias("run_id"),
            F.lit(now.date()).alias(USED_ON_COLUMN),
        )
        append_rows(rows, self.table, options={"txnAppId": guard, "txnVersion": str(version)})

    def touch(self, load_hashes: Callable[[], DataFrame], *, days: int) -> None:
        """Note today as the date of use of these hashes, where the last note is older than a quarter of the days that
        unused rows stay.

        Jobs:    none within that time; else a small one, and a MERGE where there are older rows.
        Raises:  PublishConflict, AccessDenied.
        """
        today = datetime.now(UTC).date()
        before = today - timedelta(days=max(days // 4, 1))
        notes = (note for _, note in load_commit_notes(self.table) if note.get(_TOUCHED) == self.scorer)
        if any(date.fromisoformat(note["on"]) > before for note in notes):
            return
        old = f"{USED_ON_COLUMN} <= {date_literal(before)}"
        with translate_spark_errors(f"reading {self.table.name}"):
            if self._load_own_rows().where(old).isEmpty():
                return
        note = {_TOUCHED: self.scorer, "on": today.isoformat(), "job": self.run.job}
        session = create_noted_session(self.table.spark, format_commit_note(note))
        used = load_hashes().distinct()
        used = used.select(F.lit(self.scorer).alias(SCORER_COLUMN), "*", F.lit(today).alias(USED_ON_COLUMN))
        where = f"t.{SCORER_COLUMN} = '{self.scorer}' AND t.{old}"
        keys = (SCORER_COLUMN, INPUTS_HASH_COLUMN)
        update_matched_rows(used, self.table.in_session(session), keys=keys, where=where)

    def _load_own_rows(self) -> DataFrame:
        return self.table.load_rows().where(F.col(SCORER_COLUMN) == self.scorer)


@retry_on_conflict
def remove_unused_predictions(table: Table, *, before: date, job: str, dry_run: bool) -> int:
    """Delete the reused predictions that no run has used since a date; how many.

    Jobs:    one that counts, one that deletes.
    Raises:  PublishConflict, AccessDenied.
    """
    if not table.exists():
        return 0
    old = f"{USED_ON_COLUMN} < {date_literal(before)}"
    with translate_spark_errors(f"removing unused rows of {table.name}"):
        rows = table.load_rows().where(old).count()
        if rows and not dry_run:
            note = format_commit_note({"job": job, "unused_before": before.isoformat()})
            table.in_session(create_noted_session(table.spark, note)).handle.delete(old)
    return rows
