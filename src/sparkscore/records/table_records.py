"""A table by its name, and by the location of its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyarrow import fs


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table by its catalog name or by its path, checked against the grammar.

    `spark.identifiers.parse_table_ref` makes it.
    """

    name: str
    """As people write it: `flights`, `lake.flights`, `s3a://bucket/flights`."""
    path: str | None
    """Where it lies, for a table without a catalog name; None for a catalog's table."""


@dataclass(frozen=True, slots=True)
class TableLocation:
    """A table's folder that is reached without Spark. Pickled into tasks.

    `store.table_location.locate_table` makes it.
    """

    uri: str
    """As deltalake names it."""
    root: str
    """As pyarrow names it in its file system."""
    filesystem: fs.FileSystem | None = None
    """None: the machine's own files."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What deltalake needs to reach it: secrets, so never shown."""
    is_coordinated: bool = False
    """Another service orders its commits: what lies there may lag behind, and whoever commits past it loses commits."""

    needs_trial: bool = False
    """That executors reach it as the driver does is to be tried before a run counts on it."""

    @property
    def files(self) -> fs.FileSystem:
        """The file system, also where it is the machine's own."""
        return self.filesystem or fs.LocalFileSystem()
