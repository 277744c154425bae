"""One model per group: which groups a source has, and which model scores each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkscore.records.canonical_text import json_digest
from sparkscore.records.model_records import PinnedModel
from sparkscore.records.run_records import PinnedTable

NO_MODEL = "no_model"
"""The code of a reject whose group has no model."""

Group = tuple[str, ...]
"""The values of the group's columns as texts, in the order of `model.by`; none of them is NULL."""


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group, and the version that scores it, or why none does."""

    group: Group
    name: str | None = None
    version: str | None = None
    model_id: str | None = None
    digest: str | None = None
    missing: str | None = None

    @property
    def model_key(self) -> tuple[str, str] | None:
        """Name and version; None where there is no model."""
        return None if self.name is None or self.version is None else (self.name, self.version)


@dataclass(frozen=True, slots=True)
class ModelSet:
    """The models of a run: of each group of its source. What a retry keeps, whatever became of aliases meanwhile."""

    columns: tuple[str, ...]
    """Of the source: `model.by`."""
    entries: tuple[GroupEntry, ...]
    """By group, sorted."""

    @property
    def digest(self) -> str:
        """sha256 over groups, versions, and the digests of their files."""
        entries = [[one.group, one.name, one.version, one.digest, one.missing] for one in self.entries]
        return json_digest([self.columns, entries])

    @property
    def version(self) -> str:
        """What stands for the version of all of them in pins."""
        return f"set-{self.digest[:16]}"

    @property
    def missing(self) -> tuple[GroupEntry, ...]:
        """The groups without a model."""
        return tuple(one for one in self.entries if one.model_key is None)


@dataclass(frozen=True, slots=True)
class PinnedGroups:
    """The models of a run, resolved."""

    models: ModelSet
    pinned: tuple[PinnedModel, ...]
    """Each version once, by name and version, sorted."""
    rows: Mapping[Group, int] | None = field(default=None, compare=False)
    """Rows of each group in the source, those of groups without a model too; None where nobody has counted them."""
    table: PinnedTable | None = None
    """The table that maps groups to models."""

    @property
    def places(self) -> Mapping[Group, int]:
        """Where the model of each group stands in `pinned`."""
        order = {(one.name, one.version): place for place, one in enumerate(self.pinned)}
        keyed = {one.group: one.model_key for one in self.models.entries}
        return {group: order[key] for group, key in keyed.items() if key is not None}
