"""The stage of a scan, committed a chunk at a time: by this attempt, and by any other with equal pins beside it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import PublishConflict, SparkscoreError
from sparkscore.publish.progress import chunk_note, progress
from sparkscore.publish.stage import progress_of, stage_guard
from sparkscore.records import FileScan, Place, Run
from sparkscore.store.files import Guard, commit_files
from sparkscore.store.history import noted

log = structlog.get_logger("sparkscore")

_TRIES = 10

Files = Sequence[Mapping[str, Any]]
"""What a task tells of a split's files: path in the stage, rows, rejected, bytes, ascending, first, last."""


class Chunks:
    """Collects splits that are done, and commits them about every `every_s` seconds."""

    def __init__(
        self, spark: SparkSession, run: Run, root: str, *, place: Place, schema: pa.Schema, scan: FileScan
    ) -> None:
        self._spark, self._run, self._root = spark, run, root
        self._place, self._schema, self._scan = place, schema, scan
        self._pending: dict[int, Files] = {}
        self._committed = time.monotonic()
        self.progress = progress_of(spark, run, root)

    @property
    def missing(self) -> list[int]:
        """Splits that are in no commit."""
        if self.progress.whole:
            return []
        return [number for number in range(len(self._scan.splits)) if number not in self.progress.done]

    @property
    def rejected(self) -> int:
        """Rows that were rejected so far."""
        pending: int = sum(file["rejected"] for files in self._pending.values() for file in files)
        return self.progress.rejected + pending

    def add(self, splits: Iterable[tuple[int, Files]], *, every_s: float) -> None:
        """Splits that got done; committed where the last commit is so long ago.

        Raises:  PublishConflict, AccessDenied.
        """
        self._pending |= dict(splits)
        if self._pending and time.monotonic() - self._committed >= every_s:
            self.commit()

    def commit(self) -> None:
        """What is done and in no commit becomes part of the stage, in one commit.

        Raises:  PublishConflict, AccessDenied.
        """
        for _ in range(_TRIES):
            if self.progress.plan not in (None, self._scan.plan):
                break
            missing = set(self.missing)
            done = {number: files for number, files in sorted(self._pending.items()) if number in missing}
            if not done or self._added(done):
                self._pending.clear()
                self._committed = time.monotonic()
                return
            self.progress = progress_of(self._spark, self._run, self._root)
        raise PublishConflict("another attempt scores the same stage", "one attempt at a time", "run it again")

    def keep(self) -> None:
        """Commit what can be committed while the run ends for another reason, which is the one to tell."""
        try:
            self.commit()
        except SparkscoreError as error:
            log.warning("what was scored since the last chunk is not kept", error=str(error))

    def _added(self, done: Mapping[int, Files]) -> bool:
        scan, number = self._scan, self.progress.version + 1
        note = chunk_note(scan.plan, scan.target, len(scan.splits), done)
        files = [file for split in done.values() for file in split]
        version = commit_files(self._place, self._schema, files, Guard(stage_guard(self._run), number, noted(note)))
        if version is None:
            return False
        self.progress = progress([(version, note)], self.progress)
        log.info("chunk", splits=f"{len(self.progress.done):,} of {self.progress.splits:,}", rows=self.progress.rows)
        return True
