"""What a Delta log says about its table, and whether others than Spark are certain to read that table as Spark does."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deltalake import DeltaTable

from sparkscore.errors import ScanUnsupported

_PLAIN_READER_VERSION = 1
_FEATURES_READER_VERSION = 3
_SURE_READER_FEATURES = frozenset({"timestampNtz"})
"""Reader features whose tables read the same with pyarrow as with Spark."""
_SURE_WRITER_FEATURES = _SURE_READER_FEATURES | {
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "clustering",
    "domainMetadata",
    "generatedColumns",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "rowTracking",
}
"""Writer features that change neither where commits lie nor when they were made."""


@dataclass(frozen=True, slots=True)
class LogMetadata:
    """What one version of a log says about the table itself."""

    version: int
    id: str
    partition_columns: tuple[str, ...]
    properties: Mapping[str, str]
    """As SHOW TBLPROPERTIES tells them, protocol included."""
    schema: str | None
    """The columns as Spark's JSON; None where Spark changes what the log says: lengths of texts, defaults."""

    @classmethod
    def of(cls, table: DeltaTable) -> "LogMetadata":
        """What an opened log says."""
        metadata, schema = table.metadata(), table.schema().to_json()
        return cls(
            table.version(),
            str(metadata.id),
            tuple(metadata.partition_columns),
            _list_properties(table),
            schema if all(keys <= {"comment"} for keys in _field_metadata(json.loads(schema))) else None,
        )


def refuse_unsure_protocol(table: DeltaTable) -> None:
    """Refuse a table whose log, files or rows deltalake and pyarrow may read otherwise than Spark.

    Raises:  ScanUnsupported.
    """
    protocol = table.protocol()
    reader, writer = set(protocol.reader_features or ()), set(protocol.writer_features or ())
    versions = (protocol.min_reader_version, protocol.min_writer_version)
    unsure = sorted((reader - _SURE_READER_FEATURES) | (writer - _SURE_WRITER_FEATURES))
    if unsure or versions[0] not in (_PLAIN_READER_VERSION, _FEATURES_READER_VERSION):
        raise ScanUnsupported(
            f"the table needs a reader of {', '.join(unsure) or f'version {versions[0]}'}",
            "reader version 1, or timestampNtz alone",
        )


def _list_properties(table: DeltaTable) -> Mapping[str, str]:
    protocol = table.protocol()
    features = sorted({*(protocol.reader_features or ()), *(protocol.writer_features or ())})
    return {
        **{name: value for name, value in table.metadata().configuration.items() if name != "path"},
        "delta.minReaderVersion": str(protocol.min_reader_version),
        "delta.minWriterVersion": str(protocol.min_writer_version),
        **{f"delta.feature.{name}": "supported" for name in features},
    }


def _field_metadata(kind: object) -> Iterator[set[str]]:
    """The keys of each field's metadata in a type as Spark's JSON, at every depth."""
    if isinstance(kind, dict):
        for name, part in kind.items():
            if name == "metadata":
                yield set(part)
            else:
                yield from _field_metadata(part)
    elif isinstance(kind, list):
        for part in kind:
            yield from _field_metadata(part)
