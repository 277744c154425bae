"""The output gate of a run: judges its complete stage before anything of it is visible."""

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import GateFailed
from sparkscore.gate import stage_integrity
from sparkscore.gate.prediction_shift import judge_prediction_shift
from sparkscore.gate.stage_counts import StageCounts, merge_stage_counts
from sparkscore.gate.verdicts import require_passed_verdict
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.pipelines.scoring.transport_choice import output_frame
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_suites import (
    find_measuring,
    judge_by_states,
    output_gate_summary,
    stage_count_summary,
)
from sparkscore.publish.postprocessing import is_other_than_probability
from sparkscore.publish.prediction_rows import select_predictions
from sparkscore.records import RowSummary, Stage
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.scan_summaries import summarise_scan
from sparkscore.stage.staged_states import StagedStates, StatesMissing


def judge_stage(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> None:
    """The output gate: what is always checked, the suite, and the distance to the last published run.

    Jobs:    none for what tasks have measured while they wrote the stage; else one that counts, and those of
             `run_suites.judge_by_states`; two where the config limits a shift.
    Raises:  GateFailed, DuplicateKeys, ConfigError.
    """
    store = attempt.stage_store(plan.run)
    with attempt.phase("output_gate"):
        staged = store.find_states(stage)
        found = _check_integrity(attempt, plan, stage, staged, rows_read)
        attempt.keep_verdict(found.verdict)
        stage_integrity.require_stage_integrity(found)
        _refuse_other_list_lengths(attempt, plan, stage)
        measuring = find_measuring(attempt, plan, "output")
        if measuring is not None:
            verdict = judge_by_states(
                measuring,
                output_gate_summary(attempt, plan),
                staged=staged,
                summarise=lambda summary: _summarise_stage(attempt, plan, stage, summary),
                load_frame=lambda: output_frame(attempt, plan, store.load_scored_rows(stage)),
            )
            attempt.keep_verdict(verdict)
            require_passed_verdict(verdict)
        _judge_shift(attempt, plan, stage)


def _check_integrity(
    attempt: Attempt, plan: Plan, stage: Stage, staged: StagedStates | None, rows_read: int
) -> stage_integrity.StageIntegrity:
    """By what the tasks have counted, where that proves that all is well; else by Spark, which finds examples."""
    settings, store = attempt.settings, attempt.stage_store(plan.run)
    expected = stage_integrity.StageExpectations(
        settings.output_keys, rows_read, plan.nullable, settings.output_sensitive
    )
    counts = _merge_counts(attempt, plan, staged) if stage.keys_ascend else None
    passed = None if counts is None else stage_integrity.pass_counted_stage(counts, expected)
    if passed is not None:
        return passed
    _refuse_other_probabilities(attempt, plan, store.load_scored_rows(stage))
    rows = output_frame(attempt, plan, store.load_rows(stage))
    return stage_integrity.check_stage_integrity(rows, expected, unique=stage.keys_ascend)


def _merge_counts(attempt: Attempt, plan: Plan, staged: StagedStates | None) -> StageCounts | None:
    try:
        summary = stage_count_summary(attempt, plan)
        return None if staged is None else merge_stage_counts(staged.iterate_states(summary))
    except StatesMissing:
        return None


def _summarise_stage(attempt: Attempt, plan: Plan, stage: Stage, summary: RowSummary) -> list[bytes]:
    store = attempt.stage_store(plan.run)
    scan = plan_file_scan(attempt.spark, store.pin_rows(stage, summary.columns), source=store.table)
    return summarise_scan(attempt.spark, scan, summary)


def _refuse_other_probabilities(attempt: Attempt, plan: Plan, scored: DataFrame) -> None:
    """Where the signature does not say how many numbers the model returns, the predictions do."""
    threshold, output = attempt.settings.output.threshold, plan.model.output
    if threshold is None or pa.types.is_floating(output) or dict(plan.model.parts.sizes):
        return
    rows = scored.where(is_other_than_probability(output)).count()
    if rows:
        raise GateFailed(
            f"{rows:,} predictions are lists of neither one nor two numbers, and output.threshold={threshold}",
            "one probability per row, or those of two classes",
            "remove output.threshold: what was scored is kept, and published without another prediction",
        )


def _refuse_other_list_lengths(attempt: Attempt, plan: Plan, stage: Stage) -> None:
    """Where no signature says how long a list is, the predictions say whether each value has its label."""
    if not plan.outputs.list_sizes:
        return
    rows = output_frame(attempt, plan, attempt.stage_store(plan.run).load_scored_rows(stage))
    for name, size in plan.outputs.list_sizes:
        column = quote_identifier(name)
        other = rows.where(f"{column} IS NOT NULL AND size({column}) <> {size}").count()
        if other:
            raise GateFailed(
                f"{other:,} rows have lists in {name} whose length is not {size}, and output.columns has {size} labels",
                "one value per label",
                "correct output.classes, or leave out the columns that need labels: what was scored is kept, and"
                " published without another prediction",
            )


def _is_small_increment(attempt: Attempt, stage: Stage) -> bool:
    """Whether an increment is too small for its predictions to be compared with those of a whole source."""
    told, least = attempt.report.increment, attempt.settings.drift.min_rows
    if told is None or told.since is None or stage.scored >= least:
        return False
    attempt.warn(
        f"the increment has {stage.scored:,} predictions, fewer than drift.min_rows ({least:,}): gate.mean_shift and"
        " gate.label_shift were not judged"
    )
    return True


def _judge_shift(attempt: Attempt, plan: Plan, stage: Stage) -> None:
    """Compare with the last published as_of before this one; a first run has none."""
    gate, target = attempt.settings.gate, attempt.target
    if (gate.mean_shift is None and gate.label_shift is None) or not target.exists():
        return
    earlier = select_predictions(target.load_rows()).where(F.col("as_of") < F.lit(attempt.as_of))
    last = earlier.agg(F.max("as_of")).collect()[0][0]
    if last is None:
        return
    if _is_small_increment(attempt, stage):
        return
    now = output_frame(attempt, plan, attempt.stage_store(plan.run).load_scored_rows(stage))
    verdict = judge_prediction_shift(now, earlier.where(F.col("as_of") == F.lit(last)), attempt.settings)
    attempt.keep_verdict(verdict)
    require_passed_verdict(verdict)
