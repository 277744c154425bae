"""What is landed of a source's changes: the changed rows and the deleted keys of a range, each a table of its own.

They lie in the folder of the as_of, below one of the range: another range of the same as_of is another landing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import PublishConflict
from sparkscore.records import ChangeRange, LandedChanges, LandedRows, TableRef, format_commit_note, to_utc_text
from sparkscore.schemas import ContractColumn, TableContract
from sparkscore.spark.active_session import create_frame
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.direct_commits import append_directly
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.landing_tables import choose_landing_options, is_plain_landing
from sparkscore.store.table import Table
from sparkscore.store.table_location import DIRECT_ERRORS

_ROW_GROUP_ROWS = 1 << 16
_DIGEST_LENGTH = 16
_COMMENT = "What a range of versions of the source changes; made by sparkscore for one as_of, and removed by maintain."


@dataclass(frozen=True, slots=True)
class ChangeLanding:
    """Where the changes of a range are landed, and what identifies them."""

    spark: SparkSession
    name: str
    """Of the source, for messages and lineage."""
    folder: str
    """Of the as_of."""
    digest: str
    """sha256 over the range, and over what decides which of its rows, and which columns, are landed."""
    job: str

    def find(self) -> LandedChanges | None:
        """What an attempt has landed; None where none did, or not to the end.

        Jobs:    none; the table's history where only Spark reads it.
        Raises:  AccessDenied.
        """
        table = self._open_table("rows")
        if not table.refresh().exists():
            return None
        notes = [(version, note) for version, note in load_commit_notes(table) if note.get("digest") == self.digest]
        return self._to_landed(*notes[-1]) if notes else None

    def write(
        self, changes: ChangeRange, rows: pa.Table | DataFrame, deleted: pa.Table | DataFrame, counts: tuple[int, int]
    ) -> LandedChanges:
        """Land both, the changed rows last: who finds them finds the deleted keys, too.

        `counts`: of the rows, and of the keys.

        Jobs:    none for tables in memory where the storage is sure; else one for each.
        Raises:  PublishConflict, AccessDenied.
        """
        note = {
            "landing": 1,
            "digest": self.digest,
            "at": to_utc_text(datetime.now(UTC)),
            "job": self.job,
            "source": self.name,
            "since": changes.since,
            "until": changes.until,
            "changed": counts[0],
            "deleted": counts[1],
            "writer": uuid4().hex,
        }
        if counts[1]:
            self._write_table("deleted", deleted, note)
        self._write_table("rows", rows, note)
        found = self.find()
        if found is None:
            raise PublishConflict(
                "another attempt lands the same changes", "one attempt at a time", "run it again when it has ended"
            )
        return found

    def _open_table(self, kind: str) -> Table:
        return Table(self.spark, TableRef(self.name, f"{self.folder}/{self.digest[:_DIGEST_LENGTH]}/{kind}"))

    def _to_landed(self, version: int, note: Mapping[str, Any]) -> LandedChanges:
        landed = LandedRows(version, self.digest, note["landing"], datetime.fromisoformat(note["at"]))
        rows, deleted = self._open_table("rows").ref, self._open_table("deleted").ref
        return LandedChanges(rows, landed, note["changed"], deleted, note["deleted"])

    def _write_table(self, kind: str, rows: pa.Table | DataFrame, note: Mapping[str, Any]) -> None:
        table, guard, text = self._open_table(kind), (f"sparkscore/changes/{self.digest}", 1), format_commit_note(note)
        if isinstance(rows, pa.Table):
            if _write_directly(table, rows, guard=guard, note=text, job=self.job):
                return
            rows = create_frame(self.spark, rows)
        options = {"txnAppId": guard[0], "txnVersion": str(guard[1]), "userMetadata": text}
        append_rows(rows, table, options={**options, **choose_landing_options(rows.schema)})


def _write_directly(table: Table, rows: pa.Table, *, guard: tuple[str, int], note: str, job: str) -> bool:
    """Whether the rows are there now, written by this process or another one; False: Spark has to write them."""
    if not is_plain_landing(rows.schema.names):
        return False
    columns = tuple(ContractColumn(field.name, field.type, "As in the source.") for field in rows.schema)
    try:
        if not table.refresh().exists():
            create_directly(table, TableContract(_COMMENT, columns, partitioned_by=()), job=job)
        made = append_directly(table, rows, guard=guard, note=note, row_group_rows=_ROW_GROUP_ROWS)
    except DIRECT_ERRORS:
        return False
    return made is not None
