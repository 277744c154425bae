"""Commits the stage of a scan chunk by chunk, also if another attempt with equal pins works at the same time."""

import time
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import structlog

from sparkscore.errors import PublishConflict, SparkscoreError
from sparkscore.records import FileScan, ScoredPart, SplitPart, TableLocation, format_commit_note
from sparkscore.stage.stage_progress import StageProgress, build_chunk_note, progress_from_commits
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import CommitGuard, commit_files

log = structlog.get_logger("sparkscore")

_CHUNK_COMMIT_TRIES = 10

ChunkListener = Callable[[int], None]
"""Called with the version of the stage that holds one chunk more."""


class ChunkCommitter:
    """Collects what is scored, and commits it about every `every_s` seconds."""

    def __init__(
        self,
        store: StageStore,
        location: TableLocation,
        *,
        schema: pa.Schema,
        scan: FileScan,
        progress: StageProgress,
        on_chunk: ChunkListener | None = None,
    ) -> None:
        self._store, self._location = store, location
        self._schema, self._scan = schema, scan
        self._pending: list[ScoredPart] = []
        self._last_commit_s = time.monotonic()
        self.progress, self._on_chunk = progress, on_chunk

    @property
    def missing(self) -> list[SplitPart]:
        """The parts that are in no commit."""
        return [part for number in range(len(self._scan.splits)) for part in self.progress.find_missing_parts(number)]

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

    def commit(self) -> None:
        """Commit the finished parts that are in no commit to the stage, in one commit.

        A part of which another attempt has committed some rows meanwhile is dropped; its other rows are still missing.

        Raises:  PublishConflict, AccessDenied.
        """
        for _ in range(_CHUNK_COMMIT_TRIES):
            if self.progress.plan not in (None, self._scan.plan):
                break
            done = _drop_repeated_parts(part for part in self._pending if self.progress.is_missing(part))
            if not done or self._commit_parts(sorted(done, key=lambda part: (part.split, part.first))):
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

    def _commit_parts(self, done: Sequence[ScoredPart]) -> bool:
        scan, number = self._scan, self.progress.version + 1
        note = build_chunk_note(scan.plan, scan.target, len(scan.splits), done)
        files = [file for part in done for file in part.files]
        guard = CommitGuard(self._store.guard, number, format_commit_note(note))
        version = commit_files(self._location, self._schema, files, guard)
        if version is None:
            return False
        self.progress = progress_from_commits([(version, note)], self.progress)
        if self._on_chunk is not None:
            self._on_chunk(version)
        log.info("chunk", splits=f"{len(self.progress.done):,} of {self.progress.splits:,}", rows=self.progress.rows)
        return True


def _drop_repeated_parts(parts: Iterable[ScoredPart]) -> list[ScoredPart]:
    """The parts without those that share rows with one before: of a task that ran twice one result counts."""
    kept: dict[int, list[ScoredPart]] = {}
    for part in parts:
        same = kept.setdefault(part.split, [])
        if all(part.last <= one.first or one.last <= part.first for one in same):
            same.append(part)
    return [part for same in kept.values() for part in same]
