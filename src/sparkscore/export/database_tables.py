"""The tables of an export in a database, and the SQL that they need. Names are quoted, values are parameters."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pyarrow as pa

from sparkscore.export.exported_batches import ExportedBatches
from sparkscore.records import ExportedRun, TargetState, to_utc_text

TARGETS_TABLE = "sparkscore_export_targets"
EXPORTS_TABLE = "sparkscore_exports"
_CONTROL_COLUMNS = {
    TARGETS_TABLE: "target VARCHAR(255) NOT NULL PRIMARY KEY, job VARCHAR(255) NOT NULL, locked_at TIMESTAMP",
    EXPORTS_TABLE: "target VARCHAR(255) NOT NULL, as_of VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL,"
    " revision BIGINT NOT NULL, row_count BIGINT NOT NULL, exported_at TIMESTAMP NOT NULL, PRIMARY KEY (target, as_of)",
}


@dataclass(frozen=True, slots=True)
class StagingTable:
    """Where rows wait for the transaction that makes them visible."""

    name: str
    sql: str
    """As SQL names it."""
    is_temporary: bool
    """It is gone with the connection."""


class DatabaseTables:
    """The target, the control tables beside it, and staging tables, through one connection with transactions."""

    def __init__(self, connection: Any, kind: str, target: tuple[str, ...]) -> None:
        self._connection, self._kind, self._target = connection, kind, target
        self._sql = _quote(target)
        self._name = target[-1]

    def ensure_control_tables(self) -> None:
        """Create those that are absent."""
        for name, columns in _CONTROL_COLUMNS.items():
            self._create_unless_there(self._beside(name), f"CREATE TABLE {self._beside(name)} ({columns})")

    def claim_target(self, job: str) -> str:
        """The job whose target it is: this one, if it was nobody's."""
        found = self._ask_owner()
        if found is None:
            with suppress(self._connection.Error):  # another process was faster
                self._execute(
                    f"INSERT INTO {self._beside(TARGETS_TABLE)} (target, job) VALUES ($1, $2)", self._name, job
                )
                self._connection.commit()
            self._connection.rollback()
            found = self._ask_owner() or job
        return found

    def find_owner(self) -> str | None:
        """The job whose target it is; None where it is nobody's yet."""
        return self._ask_owner() if self._is_there(self._beside(TARGETS_TABLE)) else None

    def find_state(self, run: ExportedRun) -> TargetState | None:
        """What the target holds for the as_of."""
        question = f"SELECT run_id, revision FROM {self._beside(EXPORTS_TABLE)} WHERE target = $1 AND as_of = $2"
        found = self._ask(question, self._name, to_utc_text(run.as_of))
        return None if found is None else TargetState(str(found[0]), int(found[1]))

    def name_staging(self, name: str) -> StagingTable:
        """A temporary table where the driver can fill one, else one beside the target."""
        temporary = self._kind != "snowflake"
        return StagingTable(name, _quote((name,)) if temporary else self._beside(name), temporary)

    def fill_staging(self, staging: StagingTable, batches: ExportedBatches) -> None:
        """Create it with the rows; types by ADBC."""
        reader = pa.RecordBatchReader.from_batches(batches.schema, batches)
        if not staging.is_temporary and len(self._target) > 1:  # the driver takes no schema for its ingestion
            self._execute(f"USE SCHEMA {_quote(self._target[:-1])}")
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(staging.name, reader, mode="create", temporary=staging.is_temporary)
        self._connection.commit()

    def drop_staging(self, staging: StagingTable) -> None:
        """Drop it, unless it goes with the connection. One that a killed process has left is nobody's."""
        if not staging.is_temporary:
            with suppress(self._connection.Error):
                self._connection.rollback()
                self._execute(f"DROP TABLE IF EXISTS {staging.sql}")
                self._connection.commit()

    def ensure_target(self, staging: StagingTable, keys: Sequence[str]) -> None:
        """Create the target with the staging's columns if it is absent: its key is the job's keys with as_of."""
        key = ", ".join(_quote((name,)) for name in (*keys, "as_of"))
        self._create_unless_there(
            self._sql,
            f"CREATE TABLE {self._sql} AS SELECT * FROM {staging.sql} WHERE 1 = 0",
            f"ALTER TABLE {self._sql} ADD PRIMARY KEY ({key})",
        )

    def lock_target(self) -> None:
        """Begin the transaction that no other export to this target passes before it ends."""
        self._execute(
            f"UPDATE {self._beside(TARGETS_TABLE)} SET locked_at = CURRENT_TIMESTAMP WHERE target = $1", self._name
        )

    def replace_rows(self, run: ExportedRun, staging: StagingTable, columns: Sequence[str]) -> None:
        """Replace the rows of the as_of by those of the staging table, and note it. The caller commits."""
        as_of, names = run.as_of.astimezone(UTC), ", ".join(_quote((name,)) for name in columns)
        self._execute(f'DELETE FROM {self._sql} WHERE "as_of" = $1', as_of)
        self._execute(f"INSERT INTO {self._sql} ({names}) SELECT {names} FROM {staging.sql}")
        exports, key = self._beside(EXPORTS_TABLE), (self._name, to_utc_text(as_of))
        self._execute(f"DELETE FROM {exports} WHERE target = $1 AND as_of = $2", *key)
        self._execute(
            f"INSERT INTO {exports} (target, as_of, run_id, revision, row_count, exported_at)"
            " VALUES ($1, $2, $3, $4, $5, CURRENT_TIMESTAMP)",
            *key,
            run.run_id,
            run.revision,
            run.rows,
        )

    def _ask_owner(self) -> str | None:
        found = self._ask(f"SELECT job FROM {self._beside(TARGETS_TABLE)} WHERE target = $1", self._name)
        return None if found is None else str(found[0])

    def _create_unless_there(self, table: str, *statements: str) -> None:
        if self._is_there(table):
            return
        try:
            for statement in statements:
                self._execute(statement)
            self._connection.commit()
        except self._connection.Error:
            self._connection.rollback()
            if not self._is_there(table):  # another process was faster
                raise

    def _is_there(self, table: str) -> bool:
        try:
            self._ask(f"SELECT 1 FROM {table} WHERE 1 = 0")
        except self._connection.Error:
            self._connection.rollback()
            return False
        return True

    def _beside(self, name: str) -> str:
        """A table in the schema of the target."""
        return _quote((*self._target[:-1], name))

    def _ask(self, question: str, *values: object) -> tuple[Any, ...] | None:
        with self._connection.cursor() as cursor:
            cursor.execute(self._mark(question, values), values or None)
            found: tuple[Any, ...] | None = cursor.fetchone()
            return found

    def _execute(self, statement: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(self._mark(statement, values), values or None)

    def _mark(self, statement: str, values: Sequence[object]) -> str:
        """The statement with the driver's marks for values: $1 for PostgreSQL, else ?, which all others take."""
        if self._kind != "postgresql":
            for number in range(1, len(values) + 1):
                statement = statement.replace(f"${number}", "?")
        return statement


def _quote(parts: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
