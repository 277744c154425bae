"""The model's files on the workers of a cluster of Dask, as long as a run lasts. Imports Dask."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin


class ArchiveUpload(WorkerPlugin):  # type: ignore[misc]  # where Dask is not installed, it is of no type
    """Writes files into a folder of each worker, also of those that come later; without it the folder is removed.

    Dask's own `upload_file` stays with the scheduler for ever, with what is in the file.
    """

    def __init__(self, folder: str, contents: Mapping[str, bytes]) -> None:
        self._folder, self._contents = folder, contents

    def setup(self, worker: Any) -> None:
        """Runs on: a worker of Dask, when it gets the plugin."""
        place = Path(worker.local_directory, self._folder)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in self._contents.items():
            (place / name).write_bytes(content)
        self._contents = {}

    def teardown(self, worker: Any) -> None:
        """Runs on: a worker of Dask, when the plugin is taken away."""
        shutil.rmtree(Path(worker.local_directory, self._folder), ignore_errors=True)
