"""A small table that is joined to predictions, as it is pinned for a run."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class LookupRows:
    """The rows of a small table at one version."""

    table_id: str
    version: int
    rows: pa.Table
    """Those that have a key: its columns in the order of the config, then the value."""
