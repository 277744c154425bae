"""The one place where rows are scored: by the chosen transport, into the stage, chunk by chunk."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import structlog
from pyspark.sql import DataFrame

from sparkscore.errors import ScanUnsupported, TemporaryError
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.scoring.one_pass import PassPlan
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.transport_choice import (
    TransportChoice,
    choose_transport,
    prepare_stage_rows,
    scored_frame,
)
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import FileScan, PassSummaries
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
    attempt: Attempt,
    plan: Plan,
    counters: Counters,
    earlier: StageProgress,
    limits: RunLimits,
    work: PassPlan,
) -> StageProgress:
    """The complete stage: adds the rows that attempts with equal pins have not scored.

    `work`: what tasks compute of the rows beside; they keep it in the stage's files.

    Jobs:    one Spark job that scores. If a file turns out to be one that only Spark can read, another one:
             nothing of the first is kept then.
    Raises:  TooManyRejects, DeadlinePassed, and whatever tasks raise; finished chunks are kept.
    """
    return _StageScorer(attempt, plan, counters, limits, work).score_missing(earlier)


@dataclass(frozen=True, slots=True)
class _StageScorer:
    """The scoring of one attempt."""

    attempt: Attempt
    plan: Plan
    counters: Counters
    limits: RunLimits
    work: PassPlan

    def score_missing(self, earlier: StageProgress) -> StageProgress:
        choice = self._report_choice(self._choose_transport(earlier))
        if choice.scan is None:
            return self._score_by_spark(earlier, lambda: self._scored_frame(choice.transport))
        try:
            return self._score_by_scan(earlier, choice.scan)
        except Exception as error:
            unsure = error if isinstance(error, ScanUnsupported) else recover_task_error(error, self.attempt.secret)
            if not isinstance(unsure, ScanUnsupported):
                raise
            if self._further_columns:  # perhaps of a column that is read for a gate alone
                alone = replace(self.work, summaries=self._summaries_of_inputs)
                return replace(self, work=alone).score_missing(self._store.load_progress())
            self.attempt.warn(f"the scan stopped and Spark reads the files instead: {unsure.found}")
            self._report_choice(TransportChoice("arrow", f"no scan: {unsure.found}"))
            return self._score_by_spark(self._store.load_progress(), lambda: self._scored_frame("arrow"))

    def _choose_transport(self, earlier: StageProgress) -> TransportChoice:
        further, scan = self._further_columns, self.work.choice.scan
        if not further and (scan is None or earlier.target in (None, scan.target)):
            return self.work.choice
        choice = choose_transport(self.attempt, self.plan, target=earlier.target, further_columns=further)
        if choice.scan is None and further:
            choice = choose_transport(self.attempt, self.plan, target=earlier.target)
        return choice

    @property
    def _further_columns(self) -> list[str]:
        return [name for name in self.work.summaries.source_columns if name not in self.plan.snapshot.columns]

    @property
    def _summaries_of_inputs(self) -> PassSummaries:
        """Those that read no further columns."""
        wanted, columns = self.work.summaries, set(self.plan.snapshot.columns)
        return replace(wanted, source=tuple(one for one in wanted.source if set(one.summary.columns) <= columns))

    def _report_choice(self, choice: TransportChoice) -> TransportChoice:
        self.attempt.report_transport(choice.transport, choice.reason)
        return choice

    def _scored_frame(self, transport: str) -> DataFrame:
        source = ingest.snapshot_frame(self.attempt.spark, self.plan.snapshot)
        return scored_frame(self.attempt, self.plan, source, self.counters, transport)

    def _score_by_spark(self, earlier: StageProgress, frame: Callable[[], DataFrame]) -> StageProgress:
        """All rows in one commit: without a file plan, parts of them have no names."""
        earlier = (
            self._reset_stage(earlier, "this transport writes the stage in one commit")
            if earlier.has_started
            else earlier
        )
        with run_in_background(self.attempt.spark, lambda: self._store.write_frame(frame(), past=earlier)) as job:
            return self.limits.result(job)

    def _score_by_scan(self, earlier: StageProgress, files: FileScan) -> StageProgress:
        spark, store = self.attempt.spark, self._store
        rows, location = prepare_stage_rows(self.attempt, self.plan, self.counters), store.location
        rows = replace(rows, summaries=self.work.summaries)
        if location is None:
            return self._score_by_spark(earlier, lambda: scan_transport.score_scan_frame(spark, files, rows))
        if earlier.has_started and earlier.plan != files.plan:
            earlier = self._reset_stage(earlier, "its chunks belong to another file plan")
        create_write_folder(location)
        chunks = ChunkCommitter(store, location, schema=rows.schema, scan=files, progress=earlier)
        key, every_s = self.attempt.settings.output_keys[0], self.attempt.settings.scoring.chunk_minutes * _MINUTE_S
        missing, last_missing = chunks.missing, None
        while missing and missing != last_missing:  # again where another attempt was faster with some of it
            try:
                parts = scan_transport.stage_scan_parts(
                    spark, files, rows, location, parts=missing, key=key, commit_interval_s=every_s
                )
                with closing(parts) as done:
                    for scored in done:
                        chunks.add(scored, every_s=every_s)
                        self.limits.check(rejected=chunks.rejected)
            except Exception as error:
                if not isinstance(recover_task_error(error, self.attempt.secret), ScanUnsupported):
                    chunks.try_commit()
                raise
            chunks.commit()
            missing, last_missing = chunks.missing, missing
        return self._require_complete(chunks)

    def _require_complete(self, chunks: ChunkCommitter) -> StageProgress:
        if chunks.missing:
            raise TemporaryError(
                f"{len(chunks.missing):,} parts were scored, but their results did not reach the driver",
                "a result from every task",
                "run it again: it continues from the chunks that were kept",
            )
        return chunks.progress

    def _reset_stage(self, earlier: StageProgress, why: str) -> StageProgress:
        self.attempt.warn(f"what an earlier attempt scored is discarded: {why}")
        return self._store.reset(past=earlier)

    @property
    def _store(self) -> StageStore:
        return self.attempt.stage_store(self.plan.run)
