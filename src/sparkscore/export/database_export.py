"""Exports to a table of a database: the rows go to a staging table, from there into the target in one transaction.

Two small tables beside the target say whose it is, and which revision of each as_of it holds. The row of the target is
updated first in each transaction: that is the lock.
"""

from typing import Any
from uuid import uuid4

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.export.database_connection import DatabaseAddress, open_connection
from sparkscore.export.database_tables import DatabaseTables
from sparkscore.export.export_columns import check_export_columns
from sparkscore.export.exported_batches import ExportedBatches
from sparkscore.records import ExportedRun, ExportRows, TargetState


class DatabaseExport:
    """A table of a database that ADBC reaches."""

    def __init__(self, address: DatabaseAddress, *, name: str, table: tuple[str, ...]) -> None:
        self._address, self._name, self._table = address, name, table
        self.description = f"{address.description} table {'.'.join(table)}"

    def check_columns(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """As `ExportTarget`."""
        check_export_columns(schema, name=self._name, kind=self._address.kind)

    def find_owner(self) -> str | None:
        """As `ExportTarget`."""
        with open_connection(self._address) as connection:
            return DatabaseTables(connection, self._address.kind, self._table).find_owner()

    def replace_rows(self, run: ExportedRun, rows: ExportRows) -> TargetState:
        """As `ExportTarget`: what was there for the as_of is deleted, and the rows are inserted, in one transaction."""
        with open_connection(self._address) as connection:
            tables = DatabaseTables(connection, self._address.kind, self._table)
            tables.ensure_control_tables()
            owner = tables.claim_target(run.job)
            if owner != run.job:
                raise ConfigError(
                    f"{self.description} belongs to an export of the job {owner}",
                    f"a table for the job {run.job}",
                    "name another table",
                )
            state = tables.find_state(run)
            if state is not None and state.covers(run):
                return state
            return self._copy_rows(connection, tables, run, rows)

    def _copy_rows(self, connection: Any, tables: DatabaseTables, run: ExportedRun, rows: ExportRows) -> TargetState:
        staging = tables.name_staging(f"sparkscore_{uuid4().hex}")
        try:
            self._fill_staging(tables, staging, ExportedBatches(run, rows))
            tables.ensure_target(staging, run.keys)
            tables.lock_target()
            state = tables.find_state(run)
            if state is None or not state.covers(run):
                tables.replace_rows(run, staging, rows.schema.names)
                state = TargetState(run.run_id, run.revision)
            connection.commit()
            return state
        finally:
            tables.drop_staging(staging)

    def _fill_staging(self, tables: DatabaseTables, staging: Any, batches: ExportedBatches) -> None:
        try:
            tables.fill_staging(staging, batches)
        except Exception as error:
            if batches.error is not None:
                raise batches.error from error
            raise
        batches.check_count()
