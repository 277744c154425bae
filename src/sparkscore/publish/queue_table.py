"""The queue: the rows of an as_of that somebody looks at first, replaced as a whole by one commit per publication."""

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.publish.derived_rows import find_table_state, load_derived_rows, note_derived_commit, published_columns
from sparkscore.records import ExportedRun, ExportRows, TargetState
from sparkscore.schemas import EXPECTED_LOSS_COLUMN, QUEUE_SUFFIX, RANK_COLUMN, queue_contract
from sparkscore.settings.derived_table_settings import QueueSettings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.store.guarded_writes import as_of_condition, replace_rows_in_table
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_growth import check_table_owner

_ORDER = "_sparkscore_order"


@dataclass(frozen=True, slots=True)
class QueueTable:
    """An `ExportTarget`: the table `<table>_queue`."""

    predictions: Table
    settings: QueueSettings
    job: str
    """The name in the config, which owns the table."""

    @property
    def description(self) -> str:
        """As `ExportTarget`."""
        return f"table {self._table.name}"

    @property
    def _table(self) -> Table:
        return self.predictions.sibling(QUEUE_SUFFIX)

    def find_owner(self) -> str | None:
        """As `ExportTarget`.

        Raises:  ForeignTable for a table of another job, or of none.
        """
        if self._table.exists():
            check_table_owner(self._table, job=self.job)
        return None

    def check_columns(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """As `ExportTarget`.

        Raises:  ConfigError for columns that are not there, or are no numbers.
        """
        settings = self.settings
        for setting, name in (("by", settings.by), ("amount", settings.amount)):
            if name is None:
                continue
            kind = schema.field(name).type if name in schema.names else None
            if kind is None or not _is_number(kind):
                found = "is not there" if kind is None else f"is a {kind}"
                raise ConfigError(
                    f"output.queue.{setting} names {name}, which {found}",
                    "a column of the prediction table with numbers, such as one of output.columns",
                    "name such a column; an amount has to be in source.passthrough",
                )

    def replace_rows(self, run: ExportedRun, rows: ExportRows) -> TargetState:
        """As `ExportTarget`: one commit, guarded by the revision.

        Jobs:    one that orders the rows and writes the first ones.
        Raises:  PublishConflict, ForeignTable, AccessDenied.
        """
        table, has_amount = self._table.refresh(), self.settings.amount is not None
        contract = queue_contract(published_columns(self.predictions), run.keys, has_amount=has_amount)
        ensure_table(table, contract, job=self.job)
        replace_rows_in_table(
            lambda: self._select_first_rows(self.predictions.spark, run),
            table,
            choose_rows=lambda: as_of_condition(run.as_of),
            app_id=f"sparkscore/queue/{run.job}/{run.as_of.isoformat()}",
            version=run.revision,
            note=note_derived_commit(run),
        )
        return find_table_state(table, run)

    def _select_first_rows(self, spark: SparkSession, run: ExportedRun) -> DataFrame:
        """The first rows; of equal ones those with the least keys. Rows without a number are none of them."""
        settings, rows = self.settings, load_derived_rows(self.predictions.in_session(spark), run, with_marks=False)
        by = F.col(quote_identifier(settings.by)).cast("double")
        amount = None if settings.amount is None else F.col(quote_identifier(settings.amount)).cast("double")
        ranked = rows.withColumn(_ORDER, by if amount is None else by * amount)
        ranked = ranked.where(F.col(_ORDER).isNotNull() & ~F.isnan(_ORDER))
        order = (F.col(_ORDER).desc(), *(F.col(quote_identifier(key)) for key in run.keys))
        first = ranked.orderBy(*order).limit(settings.top)
        placed = first.withColumn(RANK_COLUMN, F.row_number().over(Window.orderBy(*order)).cast("int"))
        if amount is not None:
            placed = placed.withColumn(EXPECTED_LOSS_COLUMN, F.col(_ORDER))
        return placed.drop(_ORDER)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
