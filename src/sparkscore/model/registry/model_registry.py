"""What the suite asks of a registry of models: a version for an alias, what it knows of the version, and its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sparkscore.model.registry.model_uri import LoggedModelUri, ModelUri


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A version of a model as its registry has it."""

    name: str
    """As pins and tables name it."""
    version: str
    location: str
    """The URI of its files."""
    creation_timestamp: int
    """Milliseconds since 1970, by the registry's clock; 0 where it tells none."""


class ModelRegistry(Protocol):
    """A registry of models. Asked by the driver alone: a model's files reach executors through Spark.

    Raises:  each call ModelNotFound for what is not there, AccessDenied, ConfigError for what it refuses,
             RegistryUnreachable.
    """

    @property
    def uris(self) -> tuple[str, ...]:
        """Where it is: what `model.trust.registries` lists; the first one names it."""

    def find_version(self, model: ModelUri) -> str:
        """The version that a URI names now. Downloads nothing."""

    def find_entry(self, model: ModelUri | LoggedModelUri) -> ModelEntry:
        """The version with the place of its files."""

    def list_files(self, entry: ModelEntry) -> Iterator[tuple[Any, ...]]:
        """What tells, without reading them, whether files have changed; nothing where nobody can tell."""

    def download_files(self, entry: ModelEntry, directory: Path) -> Path:
        """The folder, inside of `directory`, where the files now lie."""
