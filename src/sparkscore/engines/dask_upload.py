"""The model's files on the workers of a cluster of Dask, as long as a run lasts."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def build_archive_upload(folder: str, contents: Mapping[str, bytes]) -> Any:
    """A plugin of workers, also of those that come later: it writes files into a folder of each, and removes it.

    Dask's own `upload_file` stays with the scheduler for ever, with what is in the file.

    Runs on: driver.
    """
    from distributed import WorkerPlugin

    class ArchiveUpload(WorkerPlugin):  # type: ignore[misc]  # where Dask is not installed, it is of no type
        """Runs on: a worker of Dask."""

        def __init__(self, contents: Mapping[str, bytes]) -> None:
            self.contents = contents

        def setup(self, worker: Any) -> None:
            place = Path(worker.local_directory, folder)
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in self.contents.items():
                (place / name).write_bytes(content)
            self.contents = {}

        def teardown(self, worker: Any) -> None:
            shutil.rmtree(Path(worker.local_directory, folder), ignore_errors=True)

    return ArchiveUpload(contents)
