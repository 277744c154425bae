"""Commits the stage of rows that Spark reads chunk by chunk, as `chunk_committer` does it for a scan."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import structlog

from sparkscore.records import ScoredPart, TableLocation
from sparkscore.stage.file_spans import NO_SPANS, FileSpans, add_file_spans, has_common_rows
from sparkscore.stage.part_committer import ChunkListener, PartCommitter
from sparkscore.stage.stage_progress import StageProgress, build_row_chunk_note
from sparkscore.stage.stage_store import StageStore

log = structlog.get_logger("sparkscore")


class RowChunkCommitter(PartCommitter):
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
        super().__init__(store, location, schema=schema, plan=plan, progress=progress, on_chunk=on_chunk)
        self._tasks, self._is_partial = tasks, False

    def start_job(self) -> FileSpans:
        """The rows that the next job leaves out: those that are in a commit."""
        self._is_partial = False
        return self.progress.file_spans

    def add(self, parts: Iterable[ScoredPart], *, every_s: float) -> None:
        """As `PartCommitter`; a part that was cut leaves rows of the job."""
        reported = list(parts)
        self._is_partial = self._is_partial or any(part.is_cut for part in reported)
        super().add(reported, every_s=every_s)

    def _commit_new_parts(self, *, is_over: bool) -> bool:
        done = self._choose_new_parts()
        is_last = is_over and not self._is_partial  # nothing is missing unless a part was cut or dropped
        return self.progress.is_complete or not (done or is_last) or self._commit_parts(done, is_last=is_last)

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
        if not self._commit_files(done, build_row_chunk_note(self._plan, self._tasks, done, is_last=is_last)):
            return False
        log.info("chunk", rows=self.progress.rows, is_last=is_last)
        return True
