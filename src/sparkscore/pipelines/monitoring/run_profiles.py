"""The profiles of a run: its inputs by a sample of row groups, its predictions in full, from the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.monitor import column_profiles
from sparkscore.monitor.column_profiles import ColumnSummaries, ProfileRequest
from sparkscore.monitor.prediction_columns import PredictionSelector, prediction_columns
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ColumnProfile, Snapshot, Stage
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type, spark_to_arrow_schema

log = structlog.get_logger("sparkscore")

_HASH_SHARES = 1 << 20


def profile_run(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> tuple[ColumnProfile, ...]:
    """Profiles of a run's columns, without sensitive ones.

    Jobs:    two that read: a sample of the source, and the stage.
    """
    return (*_profile_run_inputs(attempt, plan, rows_read), *_profile_predictions(attempt, plan, stage))


def profile_table_inputs(attempt: Attempt, plan: Plan, snapshot: Snapshot) -> tuple[ColumnProfile, ...]:
    """Profiles of the model's inputs in another table: that of its training.

    Jobs:    one that counts, one that reads a sample.
    """
    columns = [name for name in _profiled_input_columns(attempt, plan) if name in snapshot.schema.names]
    segments = [name for name in attempt.settings.profile.segments if name in snapshot.schema.names]
    rows = ingest.count_snapshot_rows(attempt.spark, snapshot)
    return _profile_sample(attempt, snapshot, columns, segments, rows=rows)


def _profile_run_inputs(attempt: Attempt, plan: Plan, rows_read: int) -> tuple[ColumnProfile, ...]:
    columns, segments = _profiled_input_columns(attempt, plan), attempt.settings.profile.segments
    return _profile_sample(attempt, plan.snapshot, columns, segments, rows=rows_read)


def _profiled_input_columns(attempt: Attempt, plan: Plan) -> list[str]:
    sensitive = attempt.settings.source.sensitive
    return [name for name in dict.fromkeys(plan.read_columns) if name not in sensitive]


def _profile_sample(
    attempt: Attempt, snapshot: Snapshot, columns: Sequence[str], segments: Sequence[str], *, rows: int
) -> tuple[ColumnProfile, ...]:
    most = attempt.settings.profile.rows
    share = 1.0 if most == "all" or not rows else min(1.0, int(most) / rows)
    narrow = replace(snapshot, columns=tuple(dict.fromkeys([*columns, *segments])))
    if not columns:
        return ()
    summaries = _SampledTable(attempt.spark, narrow, share).summaries(ProfileRequest(tuple(columns), tuple(segments)))
    looked_at = max((summary.count for summary in summaries.values()), default=0)
    types = {field.name: field.type for field in narrow.schema}
    return _build_typed_profiles(
        summaries, "input", {name: types[name] for name in columns}, share=looked_at / rows if rows else 1.0
    )


def _profile_predictions(attempt: Attempt, plan: Plan, stage: Stage) -> tuple[ColumnProfile, ...]:
    table, settings = attempt.stage_store(plan.run).table, attempt.settings
    threshold = settings.output.threshold
    segments = {settings.output_names[column]: column for column in settings.profile.segments}
    schema = spark_to_arrow_schema(table.load_rows(stage.version).schema)
    may_be_null = PREDICTION_COLUMN in plan.nullable
    columns = tuple(dict.fromkeys((PREDICTION_COLUMN, *segments, *((REJECT_COLUMN,) if may_be_null else ()))))
    snapshot = Snapshot(table.ref, table.id, stage.version, schema, columns, ())
    kinds = prediction_columns(plan.model.output, threshold=threshold)
    selector = PredictionSelector(threshold, tuple(segments), may_be_null)
    request = ProfileRequest(tuple(kinds), tuple(segments), selector)
    found = _SampledTable(attempt.spark, snapshot, 1.0).summaries(request)
    summaries = {
        (column, (None if segment is None else segments[segment], value)): summary
        for (column, (segment, value)), summary in found.items()
    }
    return _build_typed_profiles(summaries, "prediction", kinds, share=1.0)


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

    def summaries(self, request: ProfileRequest) -> ColumnSummaries:
        try:
            files = plan_file_scan(self.spark, self.snapshot)
            read = files.reader.with_share(self.share) if self.share < 1 else files.reader
            return column_profiles.summarise_files(self.spark, replace(files, reader=read), request)
        except Exception as error:  # noqa: BLE001  what only Spark reads; where that fails too, its own error tells why
            log.info("profile through Spark", reason=shorten_redacted(str(error).partition("\n")[0], 200))
            return column_profiles.summarise_rows(self._rows(), request)

    def _rows(self) -> DataFrame:
        """A share by the hash of all columns: the same rows each time."""
        rows = ingest.snapshot_frame(self.spark, self.snapshot)
        if self.share >= 1:
            return rows
        hash_share = F.pmod(
            F.xxhash64(*(F.col(quote_identifier(name)) for name in self.snapshot.columns)), F.lit(_HASH_SHARES)
        )
        return rows.where(hash_share < F.lit(round(self.share * _HASH_SHARES)))
