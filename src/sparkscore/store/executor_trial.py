"""Whether executors reach a table's folder as the driver does: one small task tries it, once per store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pyarrow as pa
from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.spark.background_job import run_in_background
from sparkscore.store.credential_sources import list_credential_sources

_LONGEST_TRIAL_S = 120.0
_FOUND: WeakKeyDictionary[Any, dict[tuple[str, str], str]] = WeakKeyDictionary()
"""What was in the way at each store; an empty text where nothing was."""


def require_executor_access(spark: SparkSession, location: TableLocation, file: str | None = None) -> None:
    """Refuse a store that an executor does not reach, or would reach as somebody else than the driver.

    `file`: one of the folder, whose last bytes are read; else the executor looks whether the folder is there.

    Jobs:    a task at the first question about a store of which it is not certain.
    Raises:  ScanUnsupported.
    """
    if not location.needs_trial:
        return
    parts, known = urlsplit(location.uri), _FOUND.setdefault(spark.sparkContext, {})
    store = (parts.scheme, parts.netloc)
    if store not in known:
        known[store] = _try_on_executor(spark, location, file)
    if known[store]:
        raise ScanUnsupported(f"executors do not reach {store[0]}://{store[1]}: {known[store]}", "the driver's access")


def _try_on_executor(spark: SparkSession, location: TableLocation, file: str | None) -> str:
    scheme = urlsplit(location.uri).scheme
    trial = AccessTrial(location.files, location.root, file, scheme, list_credential_sources(scheme))
    frame = spark.range(0, 1, 1, 1).mapInArrow(trial, "found string")
    try:
        with run_in_background(spark, frame.collect) as job:
            return str(job.result(seconds=_LONGEST_TRIAL_S)[0]["found"])
    except Exception as error:  # noqa: BLE001  whatever it is, Spark reads the table then
        return f"the task that tried it ended with {type(error).__name__}"


@dataclass(frozen=True, slots=True)
class AccessTrial:
    """A look at a folder. Runs on: executor."""

    files: fs.FileSystem
    root: str
    file: str | None
    scheme: str
    sources: tuple[str, ...]
    """Where the driver finds credentials of the store."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row with the obstacle, for Spark's frames."""
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"found": [self.find_obstacle()]})

    def find_obstacle(self) -> str:
        """What is in the way; an empty text where nothing is."""
        own = list_credential_sources(self.scheme)
        if own != self.sources:
            theirs, drivers = (" and by ".join(one) or "the instance" for one in (own, self.sources))
            return f"they find credentials by {theirs}, the driver by {drivers}"
        try:
            if self.file is None:
                self.files.get_file_info(self.root)
            else:
                with self.files.open_input_file(f"{self.root}/{self.file}") as opened:
                    opened.seek(max(0, opened.size() - 8))
                    opened.read(8)
        except Exception as error:  # noqa: BLE001  it is told to the driver
            return f"{type(error).__name__}"
        return ""
