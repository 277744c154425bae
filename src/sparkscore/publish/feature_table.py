"""The feature table: predictions with the time from when and until when they hold, per key, by one MERGE per run.

The intervals follow from which as_ofs have a row of a key, and from nothing else: a back-fill in the middle cuts the
interval that it falls into, and a rollback sets back what the publication had cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.publish.derived_rows import find_table_state, load_derived_rows, note_derived_commit, published_columns
from sparkscore.records import ExportedRun, ExportRows, TargetState
from sparkscore.schemas import (
    DELETED_COLUMN,
    LINEAGE_COLUMNS,
    VALID_FROM_COLUMN,
    VALID_TO_COLUMN,
    ContractColumn,
    feature_table_contract,
)
from sparkscore.settings.derived_table_settings import FeatureTableOutputSettings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import timestamp_literal
from sparkscore.store.interval_commits import CUT, GONE, STEP_COLUMN, WRITE, merge_intervals
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_growth import check_table_owner

_NEXT, _PREVIOUS, _IS_PUBLISHED, _IS_THERE = (
    f"_sparkscore_{name}" for name in ("next", "previous", "is_published", "is_there")
)


@dataclass(frozen=True, slots=True)
class FeatureTableOutput:
    """An `ExportTarget`: the table of `output.feature_table`."""

    predictions: Table
    table: Table
    settings: FeatureTableOutputSettings
    job: str
    """The name in the config, which owns the table."""

    @property
    def description(self) -> str:
        """As `ExportTarget`."""
        return f"table {self.table.name}"

    def find_owner(self) -> str | None:
        """As `ExportTarget`.

        Raises:  ForeignTable for a table of another job, or of none.
        """
        if self.table.exists():
            check_table_owner(self.table, job=self.job)
        return None

    def check_columns(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """As `ExportTarget`.

        Raises:  ConfigError for columns that are not there, or are no features, and for the job's own table.
        """
        if self.table.ref == self.predictions.ref:
            raise ConfigError(
                f"output.feature_table.table is the prediction table {self.table.name}", "another table", "rename it"
            )
        lineage = {column.name for column in LINEAGE_COLUMNS}
        other = [name for name in self.settings.columns if name not in schema.names or name in lineage or name in keys]
        if other:
            raise ConfigError(
                f"output.feature_table.columns names {', '.join(other)}",
                f"columns of the prediction table that may be features: "
                f"{', '.join(name for name in schema.names if name not in lineage and name not in keys)}",
                "name such columns, or none for all of them",
            )
        taken = [name for name in schema.names if name in (VALID_FROM_COLUMN, VALID_TO_COLUMN)]
        if taken:
            raise ConfigError(
                f"the prediction table has a column {taken[0]}, and a feature table makes one",
                "other names",
                "output.rename gives a pass-through column another name",
            )

    def replace_rows(self, run: ExportedRun, rows: ExportRows) -> TargetState:
        """As `ExportTarget`: one MERGE, guarded by the revision where the session allows it.

        Jobs:    one MERGE, which reads keys and times of the table, and the rows of the run.
        Raises:  PublishConflict, ForeignTable, AccessDenied.
        """
        columns = self._choose_columns(run.keys)
        ensure_table(self.table.refresh(), feature_table_contract(columns, run.keys), job=self.job)
        merge_intervals(
            lambda session: self._plan_intervals(session, run, [column.name for column in columns]),
            self.table,
            keys=run.keys,
            app_id=f"sparkscore/features/{run.job}/{run.as_of.isoformat()}",
            version=run.revision,
            note=note_derived_commit(run),
        )
        return find_table_state(self.table, run)

    def _choose_columns(self, keys: Sequence[str]) -> list[ContractColumn]:
        """Keys, features, the mark of deleted keys, and the columns of the run."""
        lineage = {column.name for column in LINEAGE_COLUMNS}
        wanted = {*self.settings.columns, *keys, DELETED_COLUMN, *lineage}
        found = published_columns(self.predictions.refresh())
        return [column for column in found if not self.settings.columns or column.name in wanted]

    def _plan_intervals(self, session: SparkSession, run: ExportedRun, columns: Sequence[str]) -> DataFrame:
        """The rows that change: written, cut or gone (`STEP_COLUMN`)."""
        keys, moment = list(run.keys), F.expr(timestamp_literal(run.as_of))
        published = load_derived_rows(self.predictions.in_session(session), run, with_marks=True)
        published = published.select(*map(quote_identifier, columns))
        times = self.table.in_session(session).load_rows().select(*map(quote_identifier, keys), VALID_FROM_COLUMN)
        valid_from = F.col(VALID_FROM_COLUMN)
        known = times.groupBy(*map(quote_identifier, keys)).agg(
            F.min(F.when(valid_from > moment, valid_from)).alias(_NEXT),
            F.max(F.when(valid_from < moment, valid_from)).alias(_PREVIOUS),
            F.max(valid_from == moment).alias(_IS_THERE),
        )
        rows = published.withColumn(_IS_PUBLISHED, F.lit(True)).join(known, on=keys, how="full")
        is_published, is_there = F.coalesce(_IS_PUBLISHED, F.lit(False)), F.coalesce(_IS_THERE, F.lit(False))
        rows = rows.where(is_published | is_there)
        steps = F.array(
            F.when(is_published, _plan_step(WRITE, moment, F.col(_NEXT))),
            F.when(~is_published, _plan_step(GONE, moment, F.lit(None))),
            F.when(
                F.col(_PREVIOUS).isNotNull(),
                _plan_step(CUT, F.col(_PREVIOUS), F.when(is_published, moment).otherwise(F.col(_NEXT))),
            ),
        )
        planned = rows.withColumn("_step", F.explode(F.filter(steps, lambda one: one.isNotNull())))
        return planned.select(*map(quote_identifier, columns), "_step.*")


def _plan_step(name: str, valid_from: Column, valid_to: Column) -> Column:
    return F.struct(
        F.lit(name).alias(STEP_COLUMN),
        valid_from.cast("timestamp").alias(VALID_FROM_COLUMN),
        valid_to.cast("timestamp").alias(VALID_TO_COLUMN),
    )
