"""The profiles of a run: its inputs by a sample of row groups, its predictions in full, from the stage."""

from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.monitor import column_profiles
from sparkscore.monitor.column_profiles import ColumnSummaries, find_omitted_slices
from sparkscore.monitor.prediction_columns import PredictionSelector, prediction_columns, select_profiled_columns
from sparkscore.monitor.profile_jobs import profile_files, profile_rows
from sparkscore.monitor.profile_state import ProfileRequest, ProfileSummary, merge_profile_states
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ColumnProfile, Snapshot, Stage, select_needed_outputs
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.stage.output_columns import OutputColumns
from sparkscore.stage.staged_states import StagedStates
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")

_HASH_SHARES = 1 << 20


def profile_run(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> tuple[ColumnProfile, ...]:
    """Profiles of a run's columns, without sensitive ones; from the states of its tasks where there are any.

    Jobs:    two that read, where no task has profiled: a sample of the source, and the stage.
    """
    staged = attempt.stage_store(plan.run).find_states(stage)
    profiles = (
        *_profile_run_inputs(attempt, plan, rows_read, staged),
        *_profile_predictions(attempt, plan, stage, staged),
    )
    for one in find_omitted_slices(profiles):
        log.info("rows in no slice", segment=one.segment, of=one.log_type, rows=one.rows, count=one.count)
    return profiles


def profile_table_inputs(attempt: Attempt, plan: Plan, snapshot: Snapshot) -> tuple[ColumnProfile, ...]:
    """Profiles of the model's inputs in another table: that of its training.

    Jobs:    one that counts, one that reads a sample.
    """
    columns = [name for name in _profiled_input_columns(attempt, plan) if name in snapshot.schema.names]
    segments = [name for name in attempt.settings.profile.segments if name in snapshot.schema.names]
    if not columns:
        return ()
    request = ProfileRequest(tuple(columns), tuple(segments))
    rows = ingest.count_snapshot_rows(attempt.spark, snapshot)
    state = _profile_sample(attempt, snapshot, request, share=input_profile_share(attempt, rows))
    return _build_input_profiles(snapshot, request, state, rows=rows)


def input_profile_summary(attempt: Attempt, plan: Plan) -> ProfileSummary:
    """What is profiled of the rows that the model reads."""
    request = ProfileRequest(tuple(_profiled_input_columns(attempt, plan)), attempt.settings.profile.segments)
    return ProfileSummary("input_profile", request, request.read_columns)


def input_profile_share(attempt: Attempt, rows: int) -> float:
    """The share of so many rows that is profiled."""
    most = attempt.settings.profile.rows
    return 1.0 if most == "all" or not rows else min(1.0, int(most) / rows)


def prediction_profile_summary(attempt: Attempt, plan: Plan) -> ProfileSummary:
    """What is profiled of the rows of the stage, with the segments under their names in the stage."""
    threshold = attempt.settings.output.threshold
    segments = tuple(attempt.settings.output_names[column] for column in attempt.settings.profile.segments)
    may_be_null = PREDICTION_COLUMN in plan.nullable
    profiled = [one.name for one in select_profiled_columns(plan.outputs.columns)]
    derived = select_needed_outputs(plan.outputs.columns, profiled)
    kinds = prediction_columns(plan.model.output, threshold=threshold, derived=derived)
    request = ProfileRequest(tuple(kinds), segments, PredictionSelector(threshold, segments, may_be_null, derived))
    read = OutputColumns(threshold, may_be_null, derived).list_stage_columns(profiled)
    columns = tuple(dict.fromkeys((PREDICTION_COLUMN, *segments, *((REJECT_COLUMN,) if may_be_null else ()), *read)))
    return ProfileSummary("prediction_profile", request, columns)


def _profile_run_inputs(
    attempt: Attempt, plan: Plan, rows_read: int, staged: StagedStates | None
) -> tuple[ColumnProfile, ...]:
    summary = input_profile_summary(attempt, plan)
    if not summary.request.columns:
        return ()
    share = input_profile_share(attempt, rows_read)
    state = _merge_task_states(summary, staged, share=share)
    if state is None:
        state = _profile_sample(attempt, plan.snapshot, summary.request, share=share)
    return _build_input_profiles(plan.snapshot, summary.request, state, rows=rows_read)


def _profiled_input_columns(attempt: Attempt, plan: Plan) -> list[str]:
    sensitive = attempt.settings.source.sensitive
    return [name for name in dict.fromkeys(plan.read_columns) if name not in sensitive]


def _profile_sample(attempt: Attempt, snapshot: Snapshot, request: ProfileRequest, *, share: float) -> bytes:
    narrow = replace(snapshot, columns=request.read_columns)
    table = attempt.open_table(snapshot.table)
    return _SampledTable(attempt.spark, narrow, share, table).profile(request)


def _build_input_profiles(
    snapshot: Snapshot, request: ProfileRequest, state: bytes, *, rows: int
) -> tuple[ColumnProfile, ...]:
    summaries = column_profiles.read_summaries(state)
    looked_at = max((summary.count for summary in summaries.values()), default=0)
    types = {field.name: field.type for field in snapshot.schema}
    return _build_typed_profiles(
        summaries, "input", {name: types[name] for name in request.columns}, share=looked_at / rows if rows else 1.0
    )


def _profile_predictions(
    attempt: Attempt, plan: Plan, stage: Stage, staged: StagedStates | None
) -> tuple[ColumnProfile, ...]:
    summary = prediction_profile_summary(attempt, plan)
    state = _merge_task_states(summary, staged)
    if state is None:
        store = attempt.stage_store(plan.run)
        rows = store.pin_rows(stage, summary.columns)
        state = _SampledTable(attempt.spark, rows, 1.0, store.table).profile(summary.request)
    source_names = dict(zip(summary.request.segments, attempt.settings.profile.segments, strict=True))
    summaries = {
        (column, (None if segment is None else source_names[segment], value)): one
        for (column, (segment, value)), one in column_profiles.read_summaries(state).items()
    }
    kinds = prediction_columns(
        plan.model.output, threshold=attempt.settings.output.threshold, derived=plan.outputs.columns
    )
    return _build_typed_profiles(summaries, "prediction", kinds, share=1.0)


def _merge_task_states(summary: ProfileSummary, staged: StagedStates | None, *, share: float = 1.0) -> bytes | None:
    """The merged states of the run's tasks; None where they have none, so that jobs of their own profile."""
    if staged is None:
        return None
    try:
        return merge_profile_states(staged.iterate_states(summary, share=share))
    except Exception as error:  # noqa: BLE001  whatever is missing or cannot be read: the table's rows are there
        log.info("profile by jobs of its own", of=summary.name, reason=_shorten_reason(error))
        return None


def _shorten_reason(error: Exception) -> str:
    return shorten_redacted(str(error).partition("\n")[0], 200)


def _build_typed_profiles(
    summaries: ColumnSummaries, log_type: Literal["input", "prediction"], kinds: dict[str, pa.DataType], *, share: float
) -> tuple[ColumnProfile, ...]:
    types = {name: arrow_to_spark_type(kind).simpleString() for name, kind in kinds.items()}
    return column_profiles.build_profiles(summaries, log_type=log_type, types=types, share=share)


@dataclass(frozen=True, slots=True)
class _SampledTable:
    """A share of a table's rows, read by tasks from the files, or else through Spark."""

    spark: SparkSession
    snapshot: Snapshot
    share: float
    table: Table | None = None
    """The snapshot's table, where its log is open already."""

    def profile(self, request: ProfileRequest) -> bytes:
        try:
            files = plan_file_scan(self.spark, self.snapshot, source=self.table)
            read = files.reader.with_share(self.share) if self.share < 1 else files.reader
            return profile_files(self.spark, replace(files, reader=read), request)
        except Exception as error:  # noqa: BLE001  what only Spark reads; where that fails too, its own error tells why
            log.info("profile through Spark", reason=_shorten_reason(error))
            return profile_rows(self._rows(), request)

    def _rows(self) -> DataFrame:
        """A share by the hash of all columns: the same rows each time."""
        rows = ingest.snapshot_frame(self.spark, self.snapshot)
        if self.share >= 1:
            return rows
        hash_share = F.pmod(
            F.xxhash64(*(F.col(quote_identifier(name)) for name in self.snapshot.columns)), F.lit(_HASH_SHARES)
        )
        return rows.where(hash_share < F.lit(round(self.share * _HASH_SHARES)))
