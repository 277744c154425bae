"""The one place where rows are scored: by the fastest transport that is sure, into the stage, chunk by chunk."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import structlog
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import TemporaryError, UnsureScan
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import Way, scored_frame, stage_rows, way_of
from sparkscore.pipelines.limits import Limits
from sparkscore.pipelines.pinning import Plan
from sparkscore.publish import stage as stages
from sparkscore.publish.chunks import Chunks
from sparkscore.publish.progress import Progress
from sparkscore.records import FileScan, Run
from sparkscore.scoring import scan
from sparkscore.scoring.background import background
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.failures import translated
from sparkscore.store.files import prepare

log = structlog.get_logger("sparkscore")

_MINUTE_S = 60


def staged(attempt: Attempt, plan: Plan, counters: Counters, past: Progress, limits: Limits) -> Progress:
    """The whole stage: the rows that are missing in what attempts with equal pins have done are added.

    Jobs:    one Spark job that scores. Where a file turns out to be one that only Spark is sure to read, another: then
             nothing of the first is kept.
    Raises:  TooManyRejects, DeadlinePassed, and whatever tasks raise; what got done is kept, where there are chunks.
    """
    return _Staging(attempt, plan, counters, limits).added_to(past)


@dataclass(frozen=True, slots=True)
class _Staging:
    """The scoring of one attempt."""

    attempt: Attempt
    plan: Plan
    counters: Counters
    limits: Limits

    def added_to(self, past: Progress) -> Progress:
        way = self._known(way_of(self.attempt, self.plan, target=past.target))
        if way.scan is None:
            return self._by_spark(past, lambda: self._frame(way.transport))
        try:
            return self._by_scan(past, way.scan)
        except Exception as error:
            unsure = error if isinstance(error, UnsureScan) else translated(error, self.attempt.secret)
            if not isinstance(unsure, UnsureScan):
                raise
            self.attempt.warn(f"the scan gave way to arrow: {unsure.found}")
            self._known(Way("arrow", f"no scan: {unsure.found}"))
            return self._by_spark(self._progress(), lambda: self._frame("arrow"))

    def _known(self, way: Way) -> Way:
        self.attempt.know(transport=way.transport, transport_reason=way.reason)
        log.info("transport", transport=way.transport, reason=way.reason)
        return way

    def _frame(self, transport: str) -> DataFrame:
        source = ingest.frame(self.attempt.spark, self.plan.snapshot)
        return scored_frame(self.attempt, self.plan, source, self.counters, transport)

    def _by_spark(self, past: Progress, frame: Callable[[], DataFrame]) -> Progress:
        """All rows in one commit: without a file plan there is nothing that a part of them could be called by."""
        spark, run, root = self._where
        past = self._emptied(past, "this transport writes the stage in one piece") if past.begun else past
        with background(spark, lambda: stages.written(spark, frame(), run, root, past=past)) as job:
            return self.limits.result(job)

    def _by_scan(self, past: Progress, files: FileScan) -> Progress:
        spark, run, root = self._where
        rows, place = stage_rows(self.attempt, self.plan, self.counters), stages.place(*self._where)
        if place is None:
            return self._by_spark(past, lambda: scan.returned(spark, files, rows))
        if past.begun and past.plan != files.plan:
            self._emptied(past, "its chunks are of another file plan")
        prepare(place)
        chunks = Chunks(spark, run, root, place=place, schema=rows.schema, scan=files)
        key, every_s = self.attempt.settings.source.keys[0], self.attempt.settings.scoring.chunk_minutes * _MINUTE_S
        missing, before = chunks.missing, None
        while missing and missing != before:  # again where another attempt was faster with some of it
            try:
                parts = scan.staged(spark, files, rows, place, parts=missing, key=key, every_s=every_s)
                with closing(parts) as done:
                    for found in done:
                        chunks.add(found, every_s=every_s)
                        self.limits.check(rejected=chunks.rejected)
            except Exception as error:
                if not isinstance(translated(error, self.attempt.secret), UnsureScan):
                    chunks.keep()
                raise
            chunks.commit()
            missing, before = chunks.missing, missing
        return self._whole(chunks)

    def _whole(self, chunks: Chunks) -> Progress:
        if chunks.missing:
            raise TemporaryError(
                f"{len(chunks.missing):,} parts were scored, but Spark lost what their tasks told",
                "word from every task",
                "run it again: it goes on from the chunks that are kept",
            )
        return chunks.progress

    def _emptied(self, past: Progress, why: str) -> Progress:
        self.attempt.warn(f"what an earlier attempt scored is thrown away: {why}")
        return stages.emptied(*self._where, past=past)

    def _progress(self) -> Progress:
        return stages.progress_of(*self._where)

    @property
    def _where(self) -> tuple[SparkSession, Run, str]:
        return self.attempt.spark, self.plan.run, self.attempt.settings.stage_uri
