"""Commits the stage of a scan chunk by chunk, also if another attempt with equal pins works at the same time."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import structlog

from sparkscore.records import FileScan, ScoredPart, SplitPart, TableLocation
from sparkscore.stage.part_committer import ChunkListener, PartCommitter
from sparkscore.stage.stage_progress import StageProgress, build_chunk_note
from sparkscore.stage.stage_store import StageStore

log = structlog.get_logger("sparkscore")


class ChunkCommitter(PartCommitter):
    """Collects what tasks have scored of the splits of a scan, and commits it about every `every_s` seconds."""

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
        super().__init__(store, location, schema=schema, plan=scan.plan, progress=progress, on_chunk=on_chunk)
        self._scan = scan

    @property
    def missing(self) -> list[SplitPart]:
        """The parts that are in no commit."""
        return [part for number in range(len(self._scan.splits)) for part in self.progress.find_missing_parts(number)]

    def _commit_new_parts(self, *, is_over: bool) -> bool:
        done = _drop_repeated_parts(part for part in self._pending if self.progress.is_missing(part))
        return not done or self._commit_parts(sorted(done, key=lambda part: (part.split, part.first)))

    def _commit_parts(self, done: Sequence[ScoredPart]) -> bool:
        note = build_chunk_note(self._plan, self._scan.target, len(self._scan.splits), done)
        if not self._commit_files(done, note):
            return False
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
