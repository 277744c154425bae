"""Commits data files that tasks have written themselves. Knows local folders only; elsewhere Spark writes."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from sparkscore.errors import AccessDenied, PublishConflict

_TRIES = 5


def prepare_folder(folder: str) -> None:
    """Make the folder into which tasks write.

    Raises:  AccessDenied.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AccessDenied(
            f"no folder {folder}: {error.strerror}", "a place that can be written to", "check its owner and mode"
        ) from error


def commit_files(
    folder: str, schema: pa.Schema, parts: Sequence[Mapping[str, Any]], *, app_id: str, version: int
) -> int | None:
    """The table's version after one commit that adds the files; None where (app_id, version or a later one) is there.

    deltalake records the transaction and does not check it, so the table is looked at before and after a lost race.

    Needs:   `parts`: path in the folder, rows, bytes.
    Raises:  PublishConflict, AccessDenied.
    """
    properties = CommitProperties(app_transactions=[Transaction(app_id, version)])
    actions = [_added(part, folder) for part in parts]
    for _ in range(_TRIES):
        if _committed(folder, app_id) >= version:
            return None
        with suppress(DeltaError):
            _commit(folder, actions, Schema.from_arrow(schema), properties)
            return DeltaTable(folder).version()
    raise PublishConflict(f"another writer won while committing files to {folder}", "no conflict", "run it again")


def _commit(folder: str, actions: list[AddAction], schema: Schema, properties: CommitProperties) -> None:
    try:
        if DeltaTable.is_deltatable(folder):
            DeltaTable(folder).create_write_transaction(list(actions), "append", schema, commit_properties=properties)
        else:
            create_table_with_add_actions(folder, schema, actions, mode="error", commit_properties=properties)
    except OSError as error:
        raise AccessDenied(f"no commit in {folder}: {error}", "a folder to write to", "check its owner") from error


def _committed(folder: str, app_id: str) -> int:
    found = DeltaTable(folder).transaction_version(app_id) if DeltaTable.is_deltatable(folder) else None
    return -1 if found is None else found


def _added(part: Mapping[str, Any], folder: str) -> AddAction:
    modified = round(Path(folder, part["path"]).stat().st_mtime * 1000)
    return AddAction(part["path"], part["bytes"], {}, modified, True, json.dumps({"numRecords": part["rows"]}))
