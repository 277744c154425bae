"""What `pack_env` has made."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class PackedEnvironment:
    """An environment that was locked, and packed unless it was a dry run."""

    model: str | None
    """Name and version of the model that it is for; None where a file gave all requirements."""
    python: str
    """Version of its Python."""
    node_python: str | None
    """Where the nodes must have that Python; None: it is in the archive."""
    tool: str
    packages: Mapping[str, str]
    """Version by name."""
    lock: str
    """The file of the lock."""
    lock_is_new: bool
    archive: str | None
    """None: a dry run."""
    bytes: int | None
    sha256: str | None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The result line."""
        status = "dry_run" if self.archive is None else "packed"
        return json.dumps({"schema": 1, "status": status, **asdict(self)})
