"""Which features of Delta tables the scan reads as Spark does. Runs on the driver."""

from collections.abc import Mapping
from typing import Any

from sparkscore.errors import ScanUnsupported

_COLUMN_MAPPING = "columnMapping"
_MAPPING_READER_VERSION, _FEATURES_READER_VERSION = 2, 3
_SCANNED_READER_FEATURES = frozenset(
    {
        _COLUMN_MAPPING,
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "variantShredding",
        "variantShredding-preview",
        "variantType",
        "variantType-preview",
    }
)
"""Columns of variant are refused one by one: where they are not read they do not matter."""
_MODES = ("none", "name", "id")


def refuse_unscanned_features(protocol: Mapping[str, Any]) -> None:
    """Refuse a table whose readers must know more than the scan does. Writers' features change nothing for readers.

    Needs:   the protocol action of the table's log.
    Raises:  ScanUnsupported.
    """
    version = protocol.get("minReaderVersion", 0)
    unknown = sorted(set(protocol.get("readerFeatures") or ()) - _SCANNED_READER_FEATURES)
    collations = sorted(name for name in protocol.get("writerFeatures") or () if name.startswith("collations"))
    if unknown or collations or version > _FEATURES_READER_VERSION:
        needed = ", ".join(unknown or collations) or f"version {version}"
        raise ScanUnsupported(f"the table needs a reader of {needed}", ", ".join(sorted(_SCANNED_READER_FEATURES)))


def find_mapping_mode(protocol: Mapping[str, Any], properties: Mapping[str, str]) -> str:
    """How columns are found in data files: none (by their names), name or id.

    Raises:  ScanUnsupported for a mode that Delta does not have.
    """
    version = protocol.get("minReaderVersion", 0)
    features = protocol.get("readerFeatures") or ()
    if version < _MAPPING_READER_VERSION or (version == _FEATURES_READER_VERSION and _COLUMN_MAPPING not in features):
        return "none"
    mode = properties.get("delta.columnMapping.mode", "none").lower()
    if mode not in _MODES:
        raise ScanUnsupported(f"the table maps its columns by {mode}", ", ".join(_MODES))
    return mode
