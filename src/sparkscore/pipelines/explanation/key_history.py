"""The rows of a key in the prediction table: as they are, and as earlier versions of the table held them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkscore.errors import ConfigError, VersionGone
from sparkscore.ingest.key_rows import load_key_rows
from sparkscore.pipelines.explanation.plain_values import to_plain_row
from sparkscore.records import KeyEntry, ReportedModel, to_utc_text
from sparkscore.schemas import CHAMPION_RUN_COLUMN, DELETED_COLUMN, RUN_CONSTANTS
from sparkscore.store.lost_versions import find_lost_versions
from sparkscore.store.table import Table

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyRows:
    """Rows of a key, and the columns that they have."""

    rows: Sequence[Row]
    schema: pa.Schema

    @classmethod
    def load(cls, table: Table, key: Mapping[str, object], version: int | None = None) -> "KeyRows":
        """All rows of the key at a version of a prediction table, or of one beside it.

        Jobs:    as `load_key_rows`.
        Raises:  as `load_key_rows`.
        """
        found = load_key_rows(table, key, version=version)
        return cls(found.to_pylist(), found.schema)

    def find_row(self, run_id: str | None) -> Row | None:
        """The row of a run."""
        return next((row for row in self.rows if row["run_id"] == run_id), None)

    def plain_values(self, row: Row, key: Mapping[str, object], hidden: Sequence[str]) -> Mapping[str, Any]:
        """The prediction and further columns of a row, as JSON has them."""
        without = {*key, *RUN_CONSTANTS, CHAMPION_RUN_COLUMN}
        values: Mapping[str, Any] = to_plain_row(row, self.schema, without=without, hidden=hidden)
        return values


class EarlierRows:
    """The rows of a key as the publications of superseded runs held them."""

    def __init__(self, table: Table, key: Mapping[str, object], versions: Sequence[int]) -> None:
        self._table, self._key = table, key
        self._lost = find_lost_versions(table, sorted(set(versions))) if versions else {}
        self._known: dict[int, KeyRows] = {}

    def load_version(self, version: int | None) -> KeyRows:
        """The rows of a version of the prediction table.

        Raises:  VersionGone for one that can no longer be read, or that no run event tells; SparkNeeded.
        """
        if version is None:
            raise VersionGone("the run events do not say which version of the table it was")
        if version in self._lost:
            raise VersionGone(f"version {version} of {self._table.name} can no longer be read: {self._lost[version]}")
        if version not in self._known:
            try:
                self._known[version] = KeyRows.load(self._table, self._key, version)
            except ConfigError as error:
                raise VersionGone(error.found) from error
        return self._known[version]


def describe_row_model(row: Row) -> ReportedModel:
    """The model that predicted a row."""
    return ReportedModel(row["model_name"] or "", row["model_version"] or "", row["model_id"] or "")


def describe_seen_row(table: KeyRows, row: Row, values: Mapping[str, Any], as_of: str) -> KeyEntry:
    """The entry of a row that readers see, or have seen, by what the row itself says."""
    is_deleted = DELETED_COLUMN in table.schema.names and row[DELETED_COLUMN] is True
    return KeyEntry(
        as_of,
        "deleted" if is_deleted else "scored",
        is_current=False,
        run_id=row["run_id"],
        model=describe_row_model(row),
        source_version=row["source_version"],
        published_at=None if row["scored_at"] is None else to_utc_text(row["scored_at"]),
        values=values,
        reason="the source no longer had the key, and the run has marked it" if is_deleted else None,
    )
