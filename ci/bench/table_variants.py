"""The same rows in tables as people have them: rows deleted by deletion vectors, columns under other names."""

import base64
import json
import re
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from bench.data import KEY, SEED, Dataset

PLAIN, MAPPED = "plain", "mapped"
_MAGIC, _COOKIE, _CONTAINER, _MOST_IN_ARRAY = 1681511377, 12346, 1 << 16, 4096
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_BASE85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"

Rows = npt.NDArray[np.int64]


def deleted(dataset: Dataset, variant: str) -> Rows:
    """The ids that the variant `deleted N` lacks: N of 100, anywhere."""
    percent = float(variant.split()[1]) if variant.startswith("deleted") else 0.0
    random = np.random.default_rng([SEED, 1]).random(dataset.shape.rows)
    return np.flatnonzero(random < percent / 100)


def table(dataset: Dataset, variant: str) -> str:
    """The variant's folder, from an earlier run or made now; its log is written last."""
    if variant == PLAIN:
        return dataset.path
    folder = Path(f"{dataset.path}-{'-'.join(re.findall('[a-z0-9]+', variant))}")
    if not (folder / "_delta_log").exists():
        folder.mkdir(parents=True, exist_ok=True)
        actions = _mapped(dataset, folder) if variant == MAPPED else _deleted(dataset, folder, variant)
        lines = "\n".join(json.dumps(action) for action in actions)
        log = folder / "_unfinished_log"
        log.mkdir(exist_ok=True)
        (log / f"{0:020}.json").write_text(lines)
        log.rename(folder / "_delta_log")
    return str(folder)


def _deleted(dataset: Dataset, folder: Path, variant: str) -> Iterator[dict[str, Any]]:
    yield _protocol("deletionVectors")
    yield _metadata(dataset, "delta.enableDeletionVectors", "true")
    gone = deleted(dataset, variant)
    for name in dataset.files:
        ids = pq.read_table(name, columns=[KEY])[KEY].to_numpy()
        rows = gone[(gone >= ids[0]) & (gone <= ids[-1])] - ids[0]
        yield _add(f"file://{quote(name)}", name, len(ids), _vector(rows, folder) if len(rows) else None)


def _mapped(dataset: Dataset, folder: Path) -> Iterator[dict[str, Any]]:
    yield _protocol("columnMapping")
    yield _metadata(dataset, "delta.columnMapping.mode", "name")
    for name in dataset.files:
        with pq.ParquetFile(name) as file:
            copy = folder / Path(name).name
            first = file.read_row_group(0)
            with pq.ParquetWriter(
                copy, first.rename_columns(_stored_names(first.schema.names)).schema, use_dictionary=False
            ) as writer:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group)
                    writer.write_table(rows.rename_columns(_stored_names(rows.schema.names)), rows.num_rows)
            yield _add(copy.name, str(copy), file.metadata.num_rows, None)


def _stored_names(names: list[str]) -> list[str]:
    return [f"col-{uuid.uuid5(uuid.NAMESPACE_OID, name)}" for name in names]


def _protocol(feature: str) -> dict[str, Any]:
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}


def _metadata(dataset: Dataset, name: str, value: str) -> dict[str, Any]:
    columns = {KEY: "long"} | dict.fromkeys(dataset.shape.features, "double")
    fields = [
        {"name": column, "type": kind, "nullable": True, "metadata": _notes(column, number) if value == "name" else {}}
        for number, (column, kind) in enumerate(columns.items(), 1)
    ]
    schema = json.dumps({"type": "struct", "fields": fields})
    more = {"delta.columnMapping.maxColumnId": str(len(fields))} if value == "name" else {}
    form = {"provider": "parquet", "options": {}}
    own = {"id": str(uuid.uuid4()), "format": form, "schemaString": schema, "partitionColumns": []}
    return {"metaData": {**own, "configuration": {name: value, **more}, "createdTime": 0}}


def _notes(column: str, number: int) -> Mapping[str, Any]:
    return {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": _stored_names([column])[0]}


def _add(path: str, file: str, rows: int, vector: Mapping[str, Any] | None) -> dict[str, Any]:
    stats = json.dumps({"numRecords": rows, "tightBounds": vector is None})
    add = {"path": path, "size": Path(file).stat().st_size, "partitionValues": {}, "modificationTime": 0}
    return {"add": {**add, "dataChange": True, "stats": stats, **({"deletionVector": vector} if vector else {})}}


def _vector(rows: Rows, folder: Path) -> Mapping[str, Any]:
    """A deletion vector in a file of its own."""
    data, name = _serialized(rows), uuid.uuid4()
    header = b"\x01" + struct.pack(">i", len(data))
    (folder / f"deletion_vector_{name}.bin").write_bytes(header + data + struct.pack(">I", zlib.crc32(data)))
    text = base64.b85encode(name.bytes).translate(bytes.maketrans(_BASE85, _Z85)).decode()
    return {
        "storageType": "u",
        "pathOrInlineDv": text,
        "offset": 1,
        "sizeInBytes": len(data),
        "cardinality": len(rows),
    }


def _serialized(rows: Rows) -> bytes:
    """Rows below 2^32 as Delta's portable Roaring bitmap, in arrays and bitsets."""
    keys, first = np.unique(rows // _CONTAINER, return_index=True)
    parts = np.split((rows % _CONTAINER).astype("<u2"), first[1:])
    header = b"".join(struct.pack("<HH", key, len(part) - 1) for key, part in zip(keys, parts, strict=True))
    bodies = [_container(part) for part in parts]
    places = np.cumsum([8 + 8 * len(parts), *map(len, bodies[:-1])]).astype("<u4").tobytes()
    bitmap = struct.pack("<II", _COOKIE, len(parts)) + header + places + b"".join(bodies)
    return struct.pack("<iqI", _MAGIC, 1, 0) + bitmap


def _container(part: npt.NDArray[Any]) -> bytes:
    if len(part) <= _MOST_IN_ARRAY:
        return part.tobytes()
    bits = np.zeros(_CONTAINER, np.uint8)
    bits[part] = 1
    return np.packbits(bits, bitorder="little").tobytes()
