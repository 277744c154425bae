"""The one place where rows are scored: by the chosen transport, into the stage, chunk by chunk."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import structlog
from pyspark.sql import DataFrame

from sparkscore.errors import ConfigError, ScanUnsupported, TemporaryError
from sparkscore.expressions.arrow_evaluator import ArrowDerivation
from sparkscore.expressions.derived_inputs import bind_zone_offsets
from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.row_positions import is_row_plan
from sparkscore.pipelines.scoring.engine_choice import (
    is_other_engine,
    open_scoring_engine,
    refuse_scan_fallback,
)
from sparkscore.pipelines.scoring.frame_challengers import FrameChallengers
from sparkscore.pipelines.scoring.frame_chunks import reset_stage, stage_frame_chunks
from sparkscore.pipelines.scoring.one_pass import PassPlan
from sparkscore.pipelines.scoring.pass_challengers import PassChallengers
from sparkscore.pipelines.scoring.reused_scoring import score_with_reuse
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
from sparkscore.scoring.task_errors import is_worker_crash, recover_task_error
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.task_profiles import plan_task_profile
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
    if not attempt.settings.model.reuse:
        return _StageScorer(attempt, plan, counters, limits, work).score_missing(earlier)

    def score_inputs(child: Attempt, inputs: Plan, begun: StageProgress, own: PassPlan) -> StageProgress:
        return _StageScorer(child, inputs, counters, limits, own).score_missing(begun)

    return score_with_reuse(attempt, plan, earlier, limits, score_inputs)


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
            return self._score_by_frame(earlier, choice.transport)
        try:
            return self._score_by_scan(earlier, choice.scan)
        except Exception as error:
            if self.work.challengers and is_worker_crash(error):  # perhaps for want of the memory that they take
                return self._without_challengers(error).score_missing(self._store.load_progress())
            unsure = error if isinstance(error, ScanUnsupported) else recover_task_error(error, self.attempt.secret)
            if not isinstance(unsure, ScanUnsupported):
                raise
            if self._further_columns:  # perhaps of a column that is read for a gate alone
                alone = replace(self.work, summaries=self._summaries_of_inputs, challengers=())
                return replace(self, work=alone).score_missing(self._store.load_progress())
            refuse_scan_fallback(self.attempt, unsure)
            self.attempt.warn(f"the scan stopped and Spark reads the files instead: {unsure.found}")
            self._report_choice(TransportChoice("arrow", f"no scan: {unsure.found}"))
            return self._score_by_frame(self._store.load_progress(), "arrow")

    def _choose_transport(self, earlier: StageProgress) -> TransportChoice:
        further, scan = self._further_columns, self.work.choice.scan
        target = None if is_row_plan(earlier.plan) else earlier.target
        if not further and (scan is None or target in (None, scan.target)):
            return self.work.choice
        choice = choose_transport(self.attempt, self.plan, target=target, further_columns=further)
        if choice.scan is None and further:
            choice = choose_transport(self.attempt, self.plan, target=target)
        return choice

    @property
    def _further_columns(self) -> list[str]:
        beside = [name for one in self.work.challengers if one.plan for name in one.plan.snapshot.columns]
        wanted = dict.fromkeys([*self.work.summaries.source_columns, *beside])
        return [name for name in wanted if name not in self.plan.snapshot.columns]

    @property
    def _summaries_of_inputs(self) -> PassSummaries:
        """Those that read no further columns."""
        wanted, columns = self.work.summaries, set(self.plan.snapshot.columns)
        return replace(wanted, source=tuple(one for one in wanted.source if set(one.summary.columns) <= columns))

    def _without_challengers(self, error: Exception) -> "_StageScorer":
        """The same without them: they are scored after the champion's publication, if at all."""
        self.attempt.warn("a Python worker ended in the pass with challengers; the champion is scored without them")
        found = recover_task_error(error, self.attempt.secret)
        for one in self.work.challengers:
            one.error = one.error or (found if one.in_pass else None)
        return replace(self, work=replace(self.work, challengers=()))

    def _report_choice(self, choice: TransportChoice) -> TransportChoice:
        self.attempt.report_transport(choice.transport, choice.reason)
        return choice

    def _score_by_frame(self, earlier: StageProgress, transport: str) -> StageProgress:
        """Spark reads the rows. With the transport arrow challengers get them, too."""
        attempt, plan, counters = self.attempt, self.plan, self.counters
        # what an earlier attempt has scored is not read for challengers again
        takes_beside = transport == "arrow" and not (earlier.has_started and is_row_plan(earlier.plan))
        challengers = FrameChallengers(
            attempt, plan, [one for one in self.work.challengers if takes_beside and not one.in_pass]
        )
        beside = challengers.build_task(counters)
        snapshot = plan.snapshot if beside is None else challengers.snapshot
        try:
            staged = None
            if transport == "arrow":
                staged = stage_frame_chunks(
                    attempt,
                    plan,
                    counters,
                    earlier,
                    self.limits,
                    snapshot=snapshot,
                    beside=beside,
                    on_chunk=self.work.on_chunk,
                )
            if staged is None:
                source = ingest.snapshot_frame(attempt.spark, snapshot)
                staged = self._score_by_spark(
                    earlier, lambda: scored_frame(attempt, plan, source, counters, transport, beside)
                )
        except Exception as error:
            if beside is None or not is_worker_crash(error):
                raise
            return self._without_challengers(error).score_missing(self._store.load_progress())
        if beside is not None:
            challengers.commit(self._store.build_record(staged, chunks_reused=0).rows)
        return staged

    def _score_by_spark(self, earlier: StageProgress, frame: Callable[[], DataFrame]) -> StageProgress:
        """All rows in one commit: without a file plan, parts of them have no names."""
        earlier = (
            self._reset_stage(earlier, "this transport writes the stage in one commit")
            if earlier.has_started
            else earlier
        )
        if self.limits.budgets:
            raise ConfigError(
                f"scoring.budgets ({', '.join(self.limits.budgets)}), and the stage is written in one commit: with"
                " model.by, and where only Spark can write to output.stage",
                "a run that keeps chunks, so that a budget can stop it without loss",
                "remove scoring.budgets, or choose a folder for output.stage that the executors can write to",
            )
        with run_in_background(self.attempt.spark, lambda: self._store.write_frame(frame(), past=earlier)) as job:
            return self.limits.result(job)

    def _score_by_scan(self, earlier: StageProgress, files: FileScan) -> StageProgress:
        spark, store = self.attempt.spark, self._store
        by_engine = is_other_engine(self.attempt.settings)
        rows, location = prepare_stage_rows(self.attempt, self.plan, self.counters, by_engine=by_engine), store.location
        rows = replace(rows, summaries=self.work.summaries, derive=self._arrow_derivation())
        tasks = plan_task_profile(spark, self.attempt.settings.scoring.resources)
        if location is None:
            profile = tasks.profile
            return self._score_by_spark(
                earlier, lambda: scan_transport.score_scan_frame(spark, files, rows, profile=profile)
            )
        if earlier.has_started and earlier.plan != files.plan:
            earlier = self._reset_stage(earlier, "its chunks belong to another file plan")
        create_write_folder(location)
        chunks = ChunkCommitter(
            store, location, schema=rows.schema, scan=files, progress=earlier, on_chunk=self.work.on_chunk
        )
        # of another engine they get a pass of their own, after the publication: their files are not there
        challengers = PassChallengers(() if by_engine else self.work.challengers, files)
        key, every_s = self.attempt.settings.output_keys[0], self.attempt.settings.scoring.chunk_minutes * _MINUTE_S
        with open_scoring_engine(self.attempt, self.plan) if chunks.missing else nullcontext() as engine:
            missing, last_missing = chunks.missing, None
            while missing and missing != last_missing:  # again where another attempt was faster with some of it
                try:
                    parts = scan_transport.stage_scan_parts(
                        spark,
                        files,
                        rows,
                        location,
                        parts=missing,
                        key=key,
                        commit_interval_s=every_s,
                        tasks=tasks,
                        engine=engine,
                        challengers=challengers.choose_running,
                        check_between_jobs=partial(self._check_budgets, chunks) if self.limits.budgets else None,
                    )
                    with closing(parts) as done:
                        for scored in done:
                            chunks.add(scored, every_s=every_s)
                            challengers.add(scored, every_s=every_s)
                            self.limits.check(rejected=chunks.rejected)
                except Exception as error:
                    if not isinstance(recover_task_error(error, self.attempt.secret), ScanUnsupported):
                        chunks.try_commit()
                        challengers.commit()
                    raise
                chunks.commit()
                challengers.commit()
                missing, last_missing = chunks.missing, missing
        return self._require_complete(chunks)

    def _arrow_derivation(self) -> ArrowDerivation | None:
        """What tasks compute of the source's columns; None where the config has no expressions."""
        expressions = self.plan.derived.expressions
        return ArrowDerivation(bind_zone_offsets(self.attempt.spark, expressions)) if expressions else None

    def _check_budgets(self, chunks: ChunkCommitter) -> None:
        self.limits.check_budgets(self.counters, scored=chunks.scored)

    def _require_complete(self, chunks: ChunkCommitter) -> StageProgress:
        if chunks.missing:
            raise TemporaryError(
                f"{len(chunks.missing):,} parts were scored, but their results did not reach the driver",
                "a result from every task",
                "run it again: it continues from the chunks that were kept",
            )
        return chunks.progress

    def _reset_stage(self, earlier: StageProgress, why: str) -> StageProgress:
        return reset_stage(self.attempt, self._store, earlier, why)

    @property
    def _store(self) -> StageStore:
        return self.attempt.stage_store(self.plan.run)
