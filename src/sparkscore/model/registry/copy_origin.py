"""Where the files of a model version come from, and what shows that they are still those that were fetched.

A registry's version does not change, but its files lie where others can write. Of local files the system says when
they were changed; of remote ones their store lists names and sizes, and the registry tells when it got the version.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sparkscore.errors import SparkscoreError
from sparkscore.model.registry.model_registry import ModelEntry, ModelRegistry
from sparkscore.records.canonical_text import json_digest


@dataclass(frozen=True, slots=True)
class CopyOrigin:
    """A model version as its registry has it."""

    key: str
    """Which one it is: a digest of the registry, the name and the version."""
    evidence: str
    """A digest of what a look from outside tells of its files."""


def describe_origin(registry: ModelRegistry, entry: ModelEntry) -> CopyOrigin | None:
    """The version with its files; None where nothing shows whether they have changed.

    Jobs:    none; lists files, reads none.
    Runs on: driver.
    """
    found: list[tuple[Any, ...]] = []
    with suppress(SparkscoreError, OSError):  # the download comes across the same failure, and tells of it
        found = sorted(registry.list_files(entry))
    if not found:
        return None
    version = (registry.uris[0], entry.name, entry.version)
    return CopyOrigin(json_digest(version), json_digest((entry.location, entry.creation_timestamp, found)))
