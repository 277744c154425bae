"""The one place where rows are scored: by the fastest transport that is sure, into the stage, chunk by chunk."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import structlog
from pyspark.sql import DataFrame

from sparkscore.errors import ScanUnsupported, TemporaryError
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.transport_choice import (
    TransportChoice,
    choose_transport,
    prepare_stage_rows,
    scored_frame,
)
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import FileScan
from sparkscore.scoring import scan_transport
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.spark.background_job import run_in_background
from sparkscore.stage.chunk_committer import ChunkCommitter
from sparkscore.stage.stage_progress import StageProgress
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import create_write_folder

log = structlog.get_logger("sparkscore")

_MINUTE_S = 60


def score_missing_rows(
    attempt: Attempt, plan: Plan, counters: Counters, past: StageProgress, limits: RunLimits
) -> StageProgress:
    """The whole stage: the rows that are missing in what attempts with equal pins have done are added.

    Jobs:    one Spark job that scores. Where a file turns out to be one that only Spark is sure to read, another: then
             nothing of the first is kept.
    Raises:  TooManyRejects, DeadlinePassed, and whatever tasks raise; what got done is kept, where there are chunks.
    """
    return _StageScorer(attempt, plan, counters, limits).added_to(past)


@dataclass(frozen=True, slots=True)
class _StageScorer:
    """The scoring of one attempt."""

    attempt: Attempt
    plan: Plan
    counters: Counters
    limits: RunLimits

    def added_to(self, past: StageProgress) -> StageProgress:
        way = self._known(choose_transport(self.attempt, self.plan, target=past.target))
        if way.scan is None:
            return self._by_spark(past, lambda: self._frame(way.transport))
        try:
            return self._by_scan(past, way.scan)
        except Exception as error:
            unsure = error if isinstance(error, ScanUnsupported) else recover_task_error(error, self.attempt.secret)
            if not isinstance(unsure, ScanUnsupported):
                raise
            self.attempt.warn(f"the scan gave way to arrow: {unsure.found}")
            self._known(TransportChoice("arrow", f"no scan: {unsure.found}"))
            return self._by_spark(self._store.load_progress(), lambda: self._frame("arrow"))

    def _known(self, way: TransportChoice) -> TransportChoice:
        self.attempt.know(transport=way.transport, transport_reason=way.reason)
        log.info("transport", transport=way.transport, reason=way.reason)
        return way

    def _frame(self, transport: str) -> DataFrame:
        source = ingest.snapshot_frame(self.attempt.spark, self.plan.snapshot)
        return scored_frame(self.attempt, self.plan, source, self.counters, transport)

    def _by_spark(self, past: StageProgress, frame: Callable[[], DataFrame]) -> StageProgress:
        """All rows in one commit: without a file plan there is nothing that a part of them could be called by."""
        past = self._reset(past, "this transport writes the stage in one piece") if past.has_started else past
        with run_in_background(self.attempt.spark, lambda: self._store.write_frame(frame(), past=past)) as job:
            return self.limits.result(job)

    def _by_scan(self, past: StageProgress, files: FileScan) -> StageProgress:
        spark, store = self.attempt.spark, self._store
        rows, location = prepare_stage_rows(self.attempt, self.plan, self.counters), store.location
        if location is None:
            return self._by_spark(past, lambda: scan_transport.score_scan_frame(spark, files, rows))
        if past.has_started and past.plan != files.plan:
            past = self._reset(past, "its chunks are of another file plan")
        create_write_folder(location)
        chunks = ChunkCommitter(store, location, schema=rows.schema, scan=files, progress=past)
        key, every_s = self.attempt.settings.source.keys[0], self.attempt.settings.scoring.chunk_minutes * _MINUTE_S
        missing, before = chunks.missing, None
        while missing and missing != before:  # again where another attempt was faster with some of it
            try:
                parts = scan_transport.stage_scan_parts(
                    spark, files, rows, location, parts=missing, key=key, every_s=every_s
                )
                with closing(parts) as done:
                    for found in done:
                        chunks.add(found, every_s=every_s)
                        self.limits.check(rejected=chunks.rejected)
            except Exception as error:
                if not isinstance(recover_task_error(error, self.attempt.secret), ScanUnsupported):
                    chunks.try_commit()
                raise
            chunks.commit()
            missing, before = chunks.missing, missing
        return self._whole(chunks)

    def _whole(self, chunks: ChunkCommitter) -> StageProgress:
        if chunks.missing:
            raise TemporaryError(
                f"{len(chunks.missing):,} parts were scored, but Spark lost what their tasks told",
                "word from every task",
                "run it again: it goes on from the chunks that are kept",
            )
        return chunks.progress

    def _reset(self, past: StageProgress, why: str) -> StageProgress:
        self.attempt.warn(f"what an earlier attempt scored is thrown away: {why}")
        return self._store.reset(past=past)

    @property
    def _store(self) -> StageStore:
        return self.attempt.stage_store(self.plan.run)
