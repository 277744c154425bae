"""Commits the stage of rows that Spark reads chunk by chunk, as `chunk_committer` does it for a scan."""

import time
from collections.abc import Iterable, Sequence

import pyarrow as pa
import structlog

from sparkscore.errors import PublishConflict, SparkscoreError
from sparkscore.records import ScoredPart, TableLocation, format_commit_note
from sparkscore.stage.chunk_committer import ChunkListener
from sparkscore.stage.file_spans import NO_SPANS, FileSpans, add_file_spans, has_common_rows
from sparkscore.stage.stage_progress import StageProgress, build_row_chunk_note, progress_from_commits
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import CommitGuard, commit_files

log = structlog.get_logger("sparkscore")

_COMMIT_TRIES = 10


class RowChunkCommitter:
    """Collects what tasks have scored of the rows that a job reads, and commits it about every `every_s` seconds.

    `plan`, `tasks`: how Spark cuts the files of the source into blocks.
    """

    def __init__(
        self,
        store: StageStore,
        location: TableLocation,
        *,
        schema: pa.Schema,
        plan: str,
        tasks: int,
        progress: StageProgress,
        on_chunk: ChunkListener | None = None,
    ) -> None:
        self._store, self._location, self._schema = store, location, schema
        self._plan, self._tasks = plan, tasks
        self._pending: list[ScoredPart] = []
        self._is_partial = False
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

    def start_job(self) -> FileSpans:
        """The rows that the next job leaves out: those that are in a commit."""
        self._is_partial = False
        return self.progress.file_spans

    def add(self, parts: Iterable[ScoredPart], *, every_s: float) -> None:
        """Add what tasks of the job have reported; commits it if the last commit is long enough ago.

        Raises:  PublishConflict, AccessDenied.
        """
        for part in parts:
            self._pending.append(part)
            self._is_partial = self._is_partial or part.is_cut
        if self._pending and time.monotonic() - self._last_commit_s >= every_s:
            self.commit()

    def commit(self, *, is_over: bool = False) -> None:
        """Commit what is in no commit, in one commit. A part of which another attempt has committed some rows meanwhile
        is dropped: its other rows are still missing.

        `is_over`: all tasks of the job have ended, so that nothing is missing unless a part was cut or dropped.

        Raises:  PublishConflict, AccessDenied.
        """
        for _ in range(_COMMIT_TRIES):
            if self.progress.plan not in (None, self._plan):
                break
            done = self._choose_new_parts()
            is_last = is_over and not self._is_partial
            if self.progress.is_complete or not (done or is_last) or self._commit_parts(done, is_last=is_last):
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

    def _choose_new_parts(self) -> list[ScoredPart]:
        """Those of which no row is in a commit, or in one before: of a task that ran twice one result counts."""
        chosen, seen = list[ScoredPart](), NO_SPANS
        for part in self._pending:
            if has_common_rows(part.spans, self.progress.file_spans) or has_common_rows(part.spans, seen):
                self._is_partial = True
                continue
            chosen.append(part)
            seen = add_file_spans(seen, part.spans)
        return chosen

    def _commit_parts(self, done: Sequence[ScoredPart], *, is_last: bool) -> bool:
        note = build_row_chunk_note(self._plan, self._tasks, done, is_last=is_last)
        files = [file for part in done for file in part.files]
        guard = CommitGuard(self._store.guard, self.progress.version + 1, format_commit_note(note))
        version = commit_files(self._location, self._schema, files, guard)
        if version is None:
            return False
        self.progress = progress_from_commits([(version, note)], self.progress)
        if self._on_chunk is not None:
            self._on_chunk(version)
        log.info("chunk", rows=self.progress.rows, is_last=is_last)
        return True
