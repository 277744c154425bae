"""The table of models of runs with one model per group: what each group was scored by, and what a retry keeps."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sparkscore.records import GroupEntry, ModelSet, Run
from sparkscore.schemas import MODELS_CONTRACT
from sparkscore.store.small_tables import append_small_rows, ensure_small_table, load_small_rows, load_small_table
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner


def keep_model_set(table: Table, run: Run, models: ModelSet) -> None:
    """Append a run's models, once per as_of and set.

    Jobs:    none, or a small one where only Spark writes the table.
    Raises:  ForeignTable, PublishConflict, AccessDenied.
    """
    ensure_small_table(table, MODELS_CONTRACT, job=run.job)
    as_of = run.as_of.astimezone(UTC)
    own = {"set_digest": models.digest, "as_of": as_of, "as_of_date": as_of.date()}
    rows = [own | _to_entry_row(models.columns, one) for one in models.entries]
    append_small_rows(table, MODELS_CONTRACT, rows, guard=(f"{run.txn_app_id}/models/{models.digest}", 1))


def load_model_set(table: Table, *, job: str, as_of: datetime, columns: Sequence[str], digest: str) -> ModelSet | None:
    """The models that an attempt of the as_of has pinned by a digest; None where they are gone, or were changed.

    Jobs:    none; a small one where only Spark reaches the table.
    Raises:  ForeignTable.
    """
    if not table.exists():
        return None
    check_table_owner(table, job=job)
    found = load_small_table(table, where=("as_of_date", {as_of.astimezone(UTC).date()}))
    rows = [row for row in found if row["set_digest"] == digest]
    entries = {entry.group: entry for entry in (_from_entry_row(columns, row) for row in rows)}
    kept = ModelSet(tuple(columns), tuple(entries[group] for group in sorted(entries)))
    return kept if kept.digest == digest else None


def find_digests_of_sets(table: Table, digests: Collection[str]) -> set[str]:
    """The digests of the models in these sets: of their files.

    Jobs:    none; a small one where only Spark reaches the table.
    """
    if not table.exists():
        return set()
    rows = load_small_rows(table, columns=("set_digest", "model_digest")).to_pylist()
    return {row["model_digest"] for row in rows if row["set_digest"] in digests and row["model_digest"]}


def _to_entry_row(columns: Sequence[str], entry: GroupEntry) -> dict[str, str | None]:
    return {
        "group_key": json.dumps(dict(zip(columns, entry.group, strict=True)), ensure_ascii=False),
        "model_name": entry.name,
        "model_version": entry.version,
        "model_id": entry.model_id,
        "model_digest": entry.digest,
        "missing": entry.missing,
    }


def _from_entry_row(columns: Sequence[str], row: dict[str, str | None]) -> GroupEntry:
    values = json.loads(row["group_key"] or "{}")
    return GroupEntry(
        tuple(str(values.get(name)) for name in columns),
        row["model_name"],
        row["model_version"],
        row["model_id"],
        row["model_digest"],
        row["missing"],
    )
