"""The files of a replayed log as a scan needs them: where they lie, values of partitions, statistics, deleted rows.

Runs on the driver. What the log has as text becomes a value of the column's type, or nothing is known of it.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from sparkscore.errors import ScanUnsupported
from sparkscore.ingest.deletion_vectors import DELETION_VECTOR_COLUMN, DELETION_VECTOR_TYPE, decode_z85
from sparkscore.records import TableLocation

_UUID_CHARACTERS = 20
_UNPARSED = (ValueError, TypeError, InvalidOperation, OverflowError, ScanUnsupported, pa.ArrowException)
_STATISTICS = {"min": "minValues", "max": "maxValues", "null_count": "nullCount"}
_S3_SCHEMES = ("s3", "s3a", "s3n")


def to_scan_files(
    files: pa.Table,
    location: TableLocation,
    *,
    partitions: Mapping[str, pa.Field],
    statistics: Mapping[str, pa.Field],
) -> pa.Table:
    """The files with columns as deltalake names them, and their deletion vectors.

    `partitions`, `statistics`: name of a column -> its name in the log, with the table's type.

    Shapes:  n files of `LOGGED_FILES` -> n rows: `path`, `size_bytes`, `num_records`, `partition.x`, `min.x`, `max.x`,
             `null_count.x`, `deletion_vector`.
    Raises:  ScanUnsupported for files and vectors in another store, and for values of partitions that do not parse.
    """
    found = [json.loads(text, parse_float=Decimal) if text else {} for text in files["stats"].to_pylist()]
    values = [dict(one) for one in files["partitionValues"].to_pylist()]
    columns = {
        "path": pa.array([locate_logged_file(path, location) for path in files["path"].to_pylist()], pa.string()),
        "size_bytes": files["size"],
        "num_records": _to_typed_statistics([one.get("numRecords") for one in found], pa.int64()),
        **{
            f"partition.{name}": parse_partition_values([one.get(field.name) for one in values], field.type)
            for name, field in partitions.items()
        },
        **{
            f"{bound}.{name}": _to_typed_statistics(
                [(one.get(key) or {}).get(field.name) for one in found],
                pa.int64() if bound == "null_count" else field.type,
            )
            for name, field in statistics.items()
            for bound, key in _STATISTICS.items()
        },
        DELETION_VECTOR_COLUMN: pa.array(
            [_locate_vector(vector, location) for vector in files["deletionVector"].to_pylist()], DELETION_VECTOR_TYPE
        ),
    }
    return pa.table(columns)


def locate_logged_file(path: str, location: TableLocation) -> str:
    """A path of the log: below the table's folder, or after a slash where pyarrow finds it in the table's file system.

    Raises:  ScanUnsupported for a file in another store.
    """
    parts = urlsplit(path)
    if not parts.scheme and not path.startswith("/"):
        return unquote(path)  # once more encoded in the log than on disk
    if location.filesystem is None:
        if parts.scheme in ("", "file") and not parts.netloc:
            return f"/{unquote(parts.path)}"
    else:
        scheme, _, own = location.uri.partition("://")
        bucket, _, folder = own.partition("/")
        schemes = _S3_SCHEMES if scheme in _S3_SCHEMES else (scheme,)
        if parts.scheme in schemes and parts.netloc == bucket and location.root.endswith(folder):
            return f"/{location.root.removesuffix(folder)}{unquote(parts.path).lstrip('/')}"
    raise ScanUnsupported("the table has files in another store than its own", "files of one store")


def _locate_vector(vector: Mapping[str, Any] | None, location: TableLocation) -> dict[str, Any] | None:
    if vector is None:
        return None
    kind, text = vector["storageType"], vector["pathOrInlineDv"]
    found = {"offset": vector["offset"] or 0, "size": vector["sizeInBytes"], "cardinality": vector["cardinality"]}
    if kind == "i":
        return {**found, "inline": text}
    if kind == "p":
        return {**found, "path": locate_logged_file(text, location)}
    if kind != "u":
        raise ScanUnsupported(f"the table has deletion vectors of the kind {kind}", "u, p or i")
    folder, name = text[:-_UUID_CHARACTERS], uuid.UUID(bytes=decode_z85(text[-_UUID_CHARACTERS:]))
    return {**found, "path": f"{folder}{'/' if folder else ''}deletion_vector_{name}.bin"}


def parse_partition_values(values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Values of a partition column as the log has them; an empty one is NULL.

    Raises:  ScanUnsupported for one that is none of the type.
    """
    parse = _find_parser(kind)
    try:
        found = {value: parse(value) if value else None for value in set(values)}
        return pa.array([found[value] for value in values], kind)
    except (ValueError, InvalidOperation, pa.ArrowException):
        raise ScanUnsupported("a value of a partition column is none of its type", f"{kind}") from None


def _find_parser(kind: pa.DataType) -> Callable[[str], Any]:
    for fits, parse in _PARSERS:
        if fits(kind):
            return parse
    raise ScanUnsupported(f"a partition column is {kind}", "a type of one value")


def _parse_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("no boolean")
    return text.lower() == "true"


def _parse_time(text: str) -> datetime:
    """A time in UTC: sessions have no other zone."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


_PARSERS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]]] = (
    (pa.types.is_string, str),
    (pa.types.is_binary, str.encode),
    (pa.types.is_boolean, _parse_boolean),
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (pa.types.is_decimal, Decimal),
    (pa.types.is_date, date.fromisoformat),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is None, datetime.fromisoformat),
    (pa.types.is_timestamp, _parse_time),
)


def _to_typed_statistics(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Statistics of the log as values of a type; NULL where one is none."""
    is_numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    fitting = [
        value
        if value is not None and is_numeric == (isinstance(value, int | Decimal) and not isinstance(value, bool))
        else None
        for value in values
    ]
    try:
        return _parse_statistics(fitting, kind)
    except _UNPARSED:
        return pa.concat_arrays([_parse_statistic(value, kind) for value in fitting])


def _parse_statistics(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if all(value is None for value in values):
        return pa.nulls(len(values), kind)
    parse = _find_parser(kind)
    return pa.array([None if value is None else parse(str(value)) for value in values], kind)


def _parse_statistic(value: Any, kind: pa.DataType) -> pa.Array:
    with suppress(*_UNPARSED):
        return _parse_statistics([value], kind)
    return pa.nulls(1, kind)
