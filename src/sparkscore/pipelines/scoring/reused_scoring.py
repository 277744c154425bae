"""Scoring with `model.reuse`: different inputs are predicted once and kept, and each row gets what is kept of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.expressions.spark_evaluator import derive_spark_columns
from sparkscore.gate.row_rules import spark_reject_column
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.scoring.frame_chunks import reset_stage
from sparkscore.pipelines.scoring.one_pass import PassPlan
from sparkscore.pipelines.scoring.reused_inputs import describe_scorer, plan_inputs, shorten_input_names
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.source_survey import SourceRows
from sparkscore.pipelines.scoring.transport_choice import choose_transport, list_renamed_columns
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.postprocessing import stage_schema
from sparkscore.records import PassSummaries, TableRef, format_commit_note, json_digest
from sparkscore.schemas import INPUTS_HASH_COLUMN, PREDICTION_COLUMN, REJECT_COLUMN, REUSED_SUFFIX
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.canonical_hash import hash_canonically
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.stage.stage_progress import StageProgress
from sparkscore.stage.stage_store import StageStore, stage_folder_name
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.reused_predictions import FOUND_COLUMN, ReusedPredictions
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import PLAIN_READER_PROPERTIES

ScoreRows = Callable[[Attempt, Plan, StageProgress, PassPlan], StageProgress]
"""Scores what is missing of a stage by the model."""
_REASON_COLUMN, _MODEL_REASON_COLUMN = "_sparkscore_reason", "_sparkscore_model_reason"
_NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}


def score_with_reuse(
    attempt: Attempt, plan: Plan, earlier: StageProgress, limits: RunLimits, score_rows: ScoreRows
) -> StageProgress:
    """The complete stage. The model gets each different input that has no prediction yet, once.

    Jobs:    one that reads the source and writes these inputs, once for the run's pins; those that score them, with an
             append to the kept predictions after each chunk; one that reads the source again and joins it with them.
    Raises:  as `staging.score_missing_rows`; what was scored is kept.
    """
    scorer, store = describe_scorer(attempt, plan), attempt.stage_store(plan.run)
    output = stage_schema(plan.contract, output=plan.model.output).field(PREDICTION_COLUMN).type
    reused = ReusedPredictions(attempt.target.sibling(REUSED_SUFFIX), scorer, plan.run, output)
    folder = stage_folder_name(json_digest(["inputs", plan.run.stage_id, scorer]))
    path = f"{store.root}/{plan.run.identity_job}/{folder}"
    inputs = Table(attempt.spark, TableRef(path, path))
    return _ReusedScoring(attempt, plan, limits, score_rows, reused, inputs).score(earlier)


@dataclass(frozen=True, slots=True)
class _ReusedScoring:
    attempt: Attempt
    plan: Plan
    limits: RunLimits
    score_rows: ScoreRows
    reused: ReusedPredictions
    inputs: Table
    """The different inputs of the run that had no prediction when it began."""

    def score(self, earlier: StageProgress) -> StageProgress:
        store = self.attempt.stage_store(self.plan.run)
        self.reused.ensure()
        self._find_new_inputs()
        child, plan = plan_inputs(self.attempt, self.plan, self.inputs)
        predictions = child.stage_store(plan.run)
        predicted = self._predict_inputs(child, plan, predictions)
        if earlier.has_started:
            earlier = reset_stage(self.attempt, store, earlier, "it was scored without model.reuse")
        # a frame that Spark has written counts no rejects
        has_rejects = predicted.rejected > 0 or (predicted.has_started and predicted.plan is None)
        frame = partial(self._join_predictions, predictions, has_rejects=has_rejects)
        with run_in_background(self.attempt.spark, lambda: store.write_frame(frame(), past=earlier)) as job:
            staged = self.limits.result(job)
        scored, new = store.build_record(staged, chunks_reused=0).scored, (predicted.rows or 0) - predicted.rejected
        self.attempt.report = replace(self.attempt.report, predicted_rows=new, reused_rows=max(scored - new, 0))
        self.reused.touch(self._load_scored_hashes, days=self.attempt.settings.model.reuse_days)
        return staged

    def _find_new_inputs(self) -> None:
        """Write the inputs that the model has to predict, in one commit that happens once."""
        if self.inputs.exists():
            return
        options = {
            "txnAppId": f"sparkscore/inputs/{self.plan.run.stage_id}/{self.reused.scorer}",
            "txnVersion": "0",
            "userMetadata": format_commit_note({"stage": "inputs"}),
            **_NO_STATISTICS,
            **PLAIN_READER_PROPERTIES,
        }

        def write() -> None:
            names = shorten_input_names(self.plan)
            columns = [F.col(quote_identifier(name)).alias(short) for name, short in names.items()]
            rows = self._load_hashed_rows(columns).where(f"{_REASON_COLUMN} IS NULL").drop(_REASON_COLUMN)
            new = rows.join(self.reused.load_hashes(), INPUTS_HASH_COLUMN, "left_anti")
            append_rows(new.dropDuplicates([INPUTS_HASH_COLUMN]), self.inputs, options=options)

        with run_in_background(self.attempt.spark, write) as job:
            self.limits.result(job)
        self.inputs.refresh()

    def _load_scored_hashes(self) -> DataFrame:
        return self._load_hashed_rows([]).where(f"{_REASON_COLUMN} IS NULL").select(INPUTS_HASH_COLUMN)

    def _load_hashed_rows(self, columns: Sequence[Column]) -> DataFrame:
        """These columns of the source, `inputs_hash`, and `_REASON_COLUMN`: why a row must not be scored."""
        plan = self.plan
        source = ingest.snapshot_frame(self.attempt.spark, plan.snapshot)
        source = derive_spark_columns(source, plan.derived.expressions)
        read = [name for name in plan.model_columns if name is not None]
        inputs = [(F.col(quote_identifier(name)), source.schema[name].dataType) for name in read]
        return source.select(
            hash_canonically(inputs).alias(INPUTS_HASH_COLUMN),
            *columns,
            spark_reject_column(plan.rules, plan.row_schema).alias(_REASON_COLUMN),
        )

    def _predict_inputs(self, child: Attempt, plan: Plan, store: StageStore) -> StageProgress:
        """Score the new inputs, and keep each chunk's predictions for other runs, too."""
        earlier, report = store.load_progress(), self.attempt.report
        self._keep_predictions(store, range(earlier.version + 1))
        rows = ingest.count_snapshot_rows(child.spark, plan.snapshot, source=self.inputs)
        if earlier.is_complete or not rows:
            return earlier

        def keep_chunk(version: int) -> None:
            self._keep_predictions(store, [version])

        work = PassPlan(
            None, choose_transport(child, plan), SourceRows(rows, rows), PassSummaries(), on_chunk=keep_chunk
        )
        try:
            done = self.score_rows(child, plan, earlier, work)
        finally:
            told = child.report
            self.attempt.report = replace(
                report,
                transport=told.transport or report.transport,
                transport_reason=f"model.reuse: {rows:,} different inputs to predict; {told.transport_reason}",
                warnings=(*report.warnings, *told.warnings),
            )
        self._keep_predictions(store, range(earlier.version + 1, done.version + 1))
        return done

    def _keep_predictions(self, store: StageStore, versions: Sequence[int]) -> None:
        """Append what these versions of the stage have added; each once."""
        guard = f"sparkscore/reused/{store.run.stage_id}"
        for version in versions:
            rows = store.load_added_rows(version)
            if rows is not None:
                self.reused.append(rows, guard=guard, version=version)
            elif store.load_progress().is_complete:  # only Delta knows its files: all rows at once, when they are there
                self.reused.append(store.table.load_rows(versions[-1]), guard=guard, version=versions[-1])
                return

    def _join_predictions(self, store: StageStore, *, has_rejects: bool) -> DataFrame:
        """The stage's rows: each with the prediction that is kept for its inputs, or why there is none."""
        plan, renamed = self.plan, list_renamed_columns(self.attempt)
        fields = list(stage_schema(plan.contract, output=plan.model.output))
        carried = [
            F.col(quote_identifier(renamed.get(one.name, one.name))).cast(arrow_to_spark_type(one.type)).alias(one.name)
            for one in fields
            if one.name not in (PREDICTION_COLUMN, REJECT_COLUMN)
        ]
        rows = self._load_hashed_rows(carried).join(self.reused.load(), INPUTS_HASH_COLUMN, "left")
        reject = F.col(_REASON_COLUMN)
        if has_rejects:
            rejected = store.table.load_rows().where(f"{REJECT_COLUMN} IS NOT NULL")
            known = rejected.select(INPUTS_HASH_COLUMN, F.col(REJECT_COLUMN).alias(_MODEL_REASON_COLUMN))
            rows, reject = rows.join(known, INPUTS_HASH_COLUMN, "left"), F.coalesce(reject, _MODEL_REASON_COLUMN)
        lost = F.raise_error(F.lit("a prediction was removed from the table of reused ones while a run used it"))
        found = F.when(reject.isNull(), F.col(f"{FOUND_COLUMN}.{PREDICTION_COLUMN}"))
        is_lost = reject.isNull() & F.col(FOUND_COLUMN).isNull()
        made = {
            PREDICTION_COLUMN: F.when(is_lost, lost.cast(arrow_to_spark_type(self.reused.output))).otherwise(found),
            REJECT_COLUMN: reject,
        }
        return rows.select(*(made.get(one.name, F.col(quote_identifier(one.name))).alias(one.name) for one in fields))
