"""Rows that Spark reads for the transport arrow, scored chunk by chunk: tasks write the stage's files themselves."""

from contextlib import closing
from dataclasses import replace

from pyspark.sql import DataFrame

from sparkscore.errors import TemporaryError
from sparkscore.ingest.row_positions import (
    describe_file_blocks,
    fix_file_blocks,
    is_row_plan,
    load_positioned_rows,
)
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.transport_choice import judge_frame_rows, prepare_stage_rows
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import Snapshot, TableLocation
from sparkscore.scoring.arrow_challengers import ArrowChallengers
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.frame_writer import stage_positioned_rows
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.spark.task_profiles import plan_task_profile
from sparkscore.stage.part_committer import ChunkListener
from sparkscore.stage.row_chunks import RowChunkCommitter
from sparkscore.stage.stage_progress import StageProgress
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import create_write_folder

_MINUTE_S = 60
_BUDGET_TASK_S = 15.0


def find_positioned_rows(attempt: Attempt, plan: Plan, snapshot: Snapshot) -> tuple[DataFrame, TableLocation] | None:
    """The rows with their places in files, and where tasks write the stage; None where the stage is one commit: only
    Spark can write it, Spark tells no places, or rows are shuffled to the models of their groups.

    Jobs:    none.
    """
    location = None if plan.groups is not None else attempt.stage_store(plan.run).location
    source = None if location is None else load_positioned_rows(attempt.spark, snapshot)
    return None if source is None or location is None else (source, location)


def stage_frame_chunks(  # noqa: PLR0913  what is scored, with which limits, and what beside
    attempt: Attempt,
    plan: Plan,
    counters: Counters,
    earlier: StageProgress,
    limits: RunLimits,
    *,
    snapshot: Snapshot,
    beside: ArrowChallengers | None,
    on_chunk: ChunkListener | None = None,
) -> StageProgress | None:
    """The complete stage; None as `find_positioned_rows` has it.

    Jobs:    one that scores; more where its tasks leave rows to later ones, each of which reads the source again.
    Raises:  as `staging.score_missing_rows`.
    """
    found = find_positioned_rows(attempt, plan, snapshot)
    if found is None:
        return None
    store, (source, location) = attempt.stage_store(plan.run), found
    source, by_spark = judge_frame_rows(plan, source)
    rows = prepare_stage_rows(attempt, plan, counters, by_spark=by_spark)
    # a cluster of another size goes on with the blocks of the first attempt
    cut_for = earlier.target if is_row_plan(earlier.plan) and earlier.target else attempt.cores
    with fix_file_blocks(attempt.spark, cut_for):
        blocks = describe_file_blocks(attempt.spark, cut_for)
        if earlier.has_started and earlier.plan != blocks:
            earlier = reset_stage(attempt, store, earlier, "its chunks are of another transport, or cut otherwise")
        create_write_folder(location)
        chunks = RowChunkCommitter(
            store,
            location,
            schema=rows.schema,
            plan=blocks,
            tasks=cut_for,
            progress=earlier,
            on_chunk=on_chunk,
        )
        _score_missing_chunks(attempt, source, rows, location, chunks, limits, beside)
    if not chunks.progress.is_complete:
        raise TemporaryError(
            "a job that scored the missing rows has kept none of them",
            "a result from every task",
            "run it again: it continues from the chunks that were kept",
        )
    return chunks.progress


def _score_missing_chunks(
    attempt: Attempt,
    source: DataFrame,
    rows: StageRowScorer,
    location: TableLocation,
    chunks: RowChunkCommitter,
    limits: RunLimits,
    beside: ArrowChallengers | None,
) -> None:
    """Job after job, until nothing is missing or a job has kept nothing."""
    scoring, tasks = attempt.settings.scoring, plan_task_profile(attempt.spark, attempt.settings.scoring.resources)
    every_s, kept, job = scoring.chunk_minutes * _MINUTE_S, -1, 0
    while not chunks.progress.is_complete and chunks.progress.chunks > kept:
        kept, job = chunks.progress.chunks, job + 1
        parts = stage_positioned_rows(
            source,
            rows,
            location,
            key=attempt.settings.output_keys[0],
            done=chunks.start_job(),
            # what tasks were working on when a budget is used up is lost
            commit_interval_s=min(every_s, _BUDGET_TASK_S) if limits.budgets else every_s,
            profile=tasks.profile,
            beside=None if beside is None else replace(beside, job=job),
        )
        try:
            with closing(parts) as done:
                for scored in done:
                    chunks.add(scored, every_s=every_s)
                    limits.check(rejected=chunks.rejected)
                    limits.check_budgets(rows.counters, scored=chunks.scored)
        except Exception:
            chunks.try_commit()
            raise
        chunks.commit(is_over=True)


def reset_stage(attempt: Attempt, store: StageStore, earlier: StageProgress, why: str) -> StageProgress:
    """Throw away what an earlier attempt has scored, with a warning.

    Jobs:    a small one.
    """
    attempt.warn(f"what an earlier attempt scored is discarded: {why}")
    return store.reset(past=earlier)
