"""Commits data files that tasks have written themselves."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from sparkscore.errors import AccessDenied, PublishConflict
from sparkscore.records import StagedFile, TableLocation
from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.spark.error_translation import error_from_text
from sparkscore.store.table_location import open_deltalake_table

_FILE_COMMIT_TRIES = 5


def create_write_folder(location: TableLocation) -> None:
    """Make the folder into which tasks write; object stores have none.

    Raises:  AccessDenied.
    """
    if location.filesystem is not None:
        return
    try:
        Path(location.root).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AccessDenied(
            f"cannot create the folder {location.root}: {error.strerror}",
            "a folder that can be written to",
            "check its owner and mode",
        ) from error


@dataclass(frozen=True, slots=True)
class CommitGuard:
    """The identifier that makes a commit happen once."""

    app_id: str
    version: int
    note: str
    """The commit's `userMetadata`."""


def commit_files(
    location: TableLocation, schema: pa.Schema, files: Sequence[StagedFile], guard: CommitGuard
) -> int | None:
    """The table's version after one commit that adds the files; None where (app_id, version or a later one) is there.

    Raises:  PublishConflict, AccessDenied.
    """
    actions = [_to_add_action(file) for file in files]
    for _ in range(_FILE_COMMIT_TRIES):
        table = _find_deltalake_table(location)
        if _committed_guard_version(table, guard.app_id) >= guard.version:
            return None
        with suppress(DeltaError):  # of whoever commits after this look, too
            return _commit_add_actions(location, table, actions, Schema.from_arrow(schema), guard)
    raise PublishConflict(
        f"another writer committed first while committing files to {location.uri}", "no conflict", "run it again"
    )


def _commit_add_actions(
    location: TableLocation, table: DeltaTable | None, actions: list[AddAction], schema: Schema, guard: CommitGuard
) -> int:
    # no retries of its own: whoever commits in between may have committed this
    properties = CommitProperties(
        {"userMetadata": mask_secrets(guard.note)},
        max_commit_retries=0,
        app_transactions=[Transaction(guard.app_id, guard.version)],
    )
    try:
        if table is not None:
            # what the commits of a stage say is what it holds: none expires
            kept = PostCommitHookProperties(cleanup_expired_logs=False)
            table.create_write_transaction(
                list(actions), "append", schema, commit_properties=properties, post_commithook_properties=kept
            )
            return table.version() + 1
        create_table_with_add_actions(
            location.uri,
            schema,
            actions,
            mode="error",
            storage_options=dict(location.options) or None,
            commit_properties=properties,
        )
        return 0
    except OSError as error:
        denied = AccessDenied(f"cannot commit to {location.uri}: {error}", "a folder to write to", "check its owner")
        raise error_from_text(str(error), f"committing files to {location.uri}") or denied from error


def _committed_guard_version(table: DeltaTable | None, app_id: str) -> int:
    found = None if table is None else table.transaction_version(app_id)
    return -1 if found is None else found


def _find_deltalake_table(location: TableLocation) -> DeltaTable | None:
    try:
        return open_deltalake_table(location)
    except TableNotFoundError:
        return None


def _to_add_action(file: StagedFile) -> AddAction:
    now = round(time.time() * 1000)
    return AddAction(file.path, file.bytes, {}, now, True, json.dumps({"numRecords": file.rows}))
