"""A small Delta table created by its contract, by deltalake: what Spark would make, without Spark."""

from contextlib import suppress

from deltalake import DeltaTable, Field, Schema
from pyarrow import fs

from sparkscore.records import TableLocation
from sparkscore.schemas import TableContract
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import contract_properties
from sparkscore.store.table_location import DIRECT_ERRORS, LOG_FOLDER


def create_directly(table: Table, contract: TableContract, *, job: str) -> None:
    """Create the table where its folder is absent or empty; whatever is in the way is left to Spark, and to its errors.

    Jobs:    none.
    """
    with suppress(*DIRECT_ERRORS):
        location = table.location
        if _holds_files(location):
            return
        DeltaTable.create(
            location.uri,
            _commented_schema(contract),
            mode="error",
            partition_by=list(contract.partitioned_by),
            description=contract.comment,
            configuration={"delta.enableDeletionVectors": "false", **contract_properties(contract, job=job)},
            storage_options=dict(location.options) or None,
            raise_if_key_not_exists=False,
        )


def _commented_schema(contract: TableContract) -> Schema:
    """The contract's columns; deltalake keeps comments as Spark does, in the metadata of fields."""
    fields = Schema.from_arrow(contract.schema).fields
    return Schema(
        [
            Field(field.name, field.type, nullable=field.nullable, metadata={"comment": column.comment})
            for field, column in zip(fields, contract.columns, strict=True)
        ]
    )


def _holds_files(location: TableLocation) -> bool:
    """Whether there is anything in the folder but an empty log, which a dead process leaves."""
    files = location.files
    found = files.get_file_info(fs.FileSelector(location.root, allow_not_found=True))
    log = fs.FileSelector(f"{location.root}/{LOG_FOLDER}", allow_not_found=True)
    return any(one.base_name != LOG_FOLDER for one in found) or bool(files.get_file_info(log))
