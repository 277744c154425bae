"""What committers of chunks share, also if another attempt with equal pins works at the same time."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import structlog

from sparkscore.errors import PublishConflict, SparkscoreError
from sparkscore.records import ScoredPart, TableLocation, format_commit_note
from sparkscore.stage.stage_progress import StageProgress, progress_from_commits
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import CommitGuard, commit_files

log = structlog.get_logger("sparkscore")

_CHUNK_COMMIT_TRIES = 10

ChunkListener = Callable[[int], None]
"""Called with the version of the stage that holds one chunk more."""


class PartCommitter(ABC):
    """Collects what is scored, and commits it about every `every_s` seconds.

    `plan`: how the source is cut into what tasks read.
    """

    def __init__(
        self,
        store: StageStore,
        location: TableLocation,
        *,
        schema: pa.Schema,
        plan: str,
        progress: StageProgress,
        on_chunk: ChunkListener | None,
    ) -> None:
        self._store, self._location, self._schema, self._plan = store, location, schema, plan
        self._pending: list[ScoredPart] = []
        self._last_commit_s = time.monotonic()
        self.progress, self._on_chunk = progress, on_chunk

    @property
    def scored(self) -> int:
        """Rows that were scored so far and are kept, or will be with the next commit."""
        pending: int = sum(file.rows - file.rejected for part in self._pending for file in part.files)
        return (self.progress.rows or 0) - self.progress.rejected + pending

    @property
    def rejected(self) -> int:
        """Rows that were rejected so far."""
        pending: int = sum(file.rejected for part in self._pending for file in part.files)
        return self.progress.rejected + pending

    def add(self, parts: Iterable[ScoredPart], *, every_s: float) -> None:
        """Add finished parts; commits them if the last commit is long enough ago.

        Raises:  PublishConflict, AccessDenied.
        """
        self._pending += parts
        if self._pending and time.monotonic() - self._last_commit_s >= every_s:
            self.commit()

    def commit(self, *, is_over: bool = False) -> None:
        """Commit the finished parts that are in no commit to the stage, in one commit.

        A part of which another attempt has committed some rows meanwhile is dropped; its other rows are still missing.
        `is_over`: all tasks of the job have ended.

        Raises:  PublishConflict, AccessDenied.
        """
        for _ in range(_CHUNK_COMMIT_TRIES):
            if self.progress.plan not in (None, self._plan):
                break
            if self._commit_new_parts(is_over=is_over):
                self._pending.clear()
                self._last_commit_s = time.monotonic()
                return
            self.progress = self._store.load_progress()
        raise PublishConflict("another attempt scores the same stage", "one attempt at a time", "run it again")

    def try_commit(self) -> None:
        """Commit what can be committed while the run ends for another reason, which is the one to report."""
        try:
            self.commit()
        except SparkscoreError as error:
            log.warning("the work since the last chunk was not kept", error=str(error))

    @abstractmethod
    def _commit_new_parts(self, *, is_over: bool) -> bool:
        """Commit the pending parts that are in no commit, if there are any; False where somebody else was faster."""

    def _commit_files(self, parts: Sequence[ScoredPart], note: Mapping[str, Any]) -> bool:
        files = [file for part in parts for file in part.files]
        guard = CommitGuard(self._store.guard, self.progress.version + 1, format_commit_note(note))
        version = commit_files(self._location, self._schema, files, guard)
        if version is None:
            return False
        self.progress = progress_from_commits([(version, note)], self.progress)
        if self._on_chunk is not None:
            self._on_chunk(version)
        return True
