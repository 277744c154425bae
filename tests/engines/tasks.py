"""Tasks for workers of an engine: what each does is told by its part. They import nothing of the tests."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.scoring.task_errors import mark_task_errors

cloudpickle.register_pickle_by_value(sys.modules[__name__])
SECRET = "of the attempt"


@dataclass(frozen=True)
class ScriptedTask:
    """Reports each part with the process that had it, or does what the part says: die, die once, raise, hold."""

    folder: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with mark_task_errors(SECRET):
            for batch in batches:
                for part in batch.column(0).to_pylist():
                    self._follow(part.decode())
                    report = f"{part.decode()} {os.getpid()}".encode()
                    yield pa.record_batch([pa.array([report], pa.binary())], ["report"])

    def _follow(self, part: str) -> None:
        with Path(self.folder, part).open("a") as tries:
            tries.write(f"{os.getpid()}\n")
        is_first = len(Path(self.folder, part).read_text().split()) == 1
        if part.startswith("die") and (is_first or not part.startswith("die once")):
            os.kill(os.getpid(), signal.SIGKILL)
        if part == "raise":
            raise PredictError("the model raised something")
        if part == "stumble once" and is_first:
            raise OSError("a disk")
        if part == "stumble":
            raise OSError("a disk")
        until = time.monotonic() + 120  # a bound: whoever holds it lets it go, or ends it
        while part == "hold" and not Path(self.folder, "go").exists() and time.monotonic() < until:
            time.sleep(0.05)

    def tries(self, part: str) -> int:
        """How often a part was begun."""
        file = Path(self.folder, part)
        return len(file.read_text().split()) if file.exists() else 0
