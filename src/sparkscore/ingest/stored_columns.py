"""Under which names a table's columns, and the fields inside them, are in its data files. Executors use it: pyarrow.

A stored column is a field like the table's own, in its type, but with the names of the files; with column mapping by
id each field carries its id, as pyarrow gives it for fields of files.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkscore.errors import ScanUnsupported

FIELD_ID = b"PARQUET:field_id"
_ABSENT = "\0absent "
"""Before an id that no field of a file has: no file has such a name."""
_NAME_KEY, _ID_KEY = "delta.columnMapping.physicalName", "delta.columnMapping.id"


def to_stored_column(logged: Mapping[str, Any], field: pa.Field, *, mode: str) -> pa.Field:
    """A column as data files have it, by the log's entry of it. `mode`: none, name or id, as the table has it.

    Runs on: driver.
    Raises:  ScanUnsupported for an entry without what the mode needs.
    """
    if mode == "none":
        return field
    notes = logged.get("metadata", {})
    if _NAME_KEY not in notes or (mode == "id" and _ID_KEY not in notes):
        raise ScanUnsupported(f"the column {field.name} has no name or id in the table's log", f"one: {mode} mapping")
    metadata = {FIELD_ID: str(notes[_ID_KEY])} if mode == "id" else None
    return pa.field(str(notes[_NAME_KEY]), _to_stored_type(logged["type"], field.type, mode), metadata=metadata)


def _to_stored_type(logged: Any, kind: pa.DataType, mode: str) -> pa.DataType:
    if pa.types.is_struct(kind):
        entries = {entry["name"]: entry for entry in logged["fields"]}
        return pa.struct([to_stored_column(entries[field.name], field, mode=mode) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_to_stored_type(logged["elementType"], kind.value_type, mode)))
    if pa.types.is_map(kind):
        key, item = (
            field.with_type(_to_stored_type(logged[part], field.type, mode))
            for part, field in (("keyType", kind.key_field), ("valueType", kind.item_field))
        )
        return pa.map_(key, item)
    return kind


def find_stored_names(file: pq.ParquetFile, stored: pa.Schema) -> pa.Schema:
    """The stored columns with the names that this file has for their ids; unchanged where there are no ids.

    Runs on: executor.
    Raises:  ScanUnsupported for a file without ids.
    """
    if not any(FIELD_ID in (field.metadata or {}) for field in stored):
        return stored
    if not any(FIELD_ID in (field.metadata or {}) for field in file.schema_arrow):
        raise ScanUnsupported("a data file has no ids of its columns", "the ids of the table's column mapping")
    return pa.schema(_name_by_id(file.schema_arrow, stored))


def _name_by_id(present: Iterable[pa.Field], wanted: Iterable[pa.Field]) -> list[pa.Field]:
    by_id = {(field.metadata or {}).get(FIELD_ID): field for field in present}
    found = []
    for field in wanted:
        number = (field.metadata or {})[FIELD_ID]
        there = by_id.get(number)
        kind = field.type if there is None else _name_nested_by_id(there.type, field.type)
        found.append(
            pa.field(_ABSENT + number.decode() if there is None else there.name, kind, metadata=field.metadata)
        )
    return found


def _name_nested_by_id(present: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(wanted) and pa.types.is_struct(present):
        return pa.struct(_name_by_id(present, wanted))
    if pa.types.is_list(wanted) and pa.types.is_list(present):
        return pa.list_(wanted.value_field.with_type(_name_nested_by_id(present.value_type, wanted.value_type)))
    if pa.types.is_map(wanted) and pa.types.is_map(present):
        key = wanted.key_field.with_type(_name_nested_by_id(present.key_type, wanted.key_type))
        return pa.map_(key, wanted.item_field.with_type(_name_nested_by_id(present.item_type, wanted.item_type)))
    return wanted
