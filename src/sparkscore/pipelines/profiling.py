"""The profiles of a run: its inputs by a sample of row groups, its predictions in full, from the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.files import listed
from sparkscore.monitor import profile
from sparkscore.monitor.predicted import PREDICTION, Predicted, prediction_columns
from sparkscore.monitor.profile import Summaries, Wanted
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.pinning import Plan
from sparkscore.records import ColumnProfile, Snapshot, Stage, TableRef
from sparkscore.store.names import quoted
from sparkscore.store.tables import load, table_id
from sparkscore.store.types import arrow_schema, spark_type

log = structlog.get_logger("sparkscore")

_SHARES = 1 << 20


def profiled(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> tuple[ColumnProfile, ...]:
    """What the columns of a run hold; sensitive ones are left out.

    Jobs:    two that read: a sample of the source, and the stage.
    """
    return (*_inputs(attempt, plan, rows_read), *_predictions(attempt, plan, stage))


def of_table(attempt: Attempt, plan: Plan, snapshot: Snapshot) -> tuple[ColumnProfile, ...]:
    """What the inputs of the run's model hold in another table: that of its training.

    Jobs:    one that counts, one that reads a sample.
    """
    columns = [name for name in _input_columns(attempt, plan) if name in snapshot.schema.names]
    segments = [name for name in attempt.settings.profile.segments if name in snapshot.schema.names]
    rows = ingest.count(attempt.spark, snapshot)
    return _sampled(attempt, snapshot, columns, segments, rows=rows)


def _inputs(attempt: Attempt, plan: Plan, rows_read: int) -> tuple[ColumnProfile, ...]:
    columns, segments = _input_columns(attempt, plan), attempt.settings.profile.segments
    return _sampled(attempt, plan.snapshot, columns, segments, rows=rows_read)


def _input_columns(attempt: Attempt, plan: Plan) -> list[str]:
    sensitive = attempt.settings.source.sensitive
    return [name for name in dict.fromkeys(plan.model_columns) if name not in sensitive]


def _sampled(
    attempt: Attempt, snapshot: Snapshot, columns: Sequence[str], segments: Sequence[str], *, rows: int
) -> tuple[ColumnProfile, ...]:
    most = attempt.settings.profile.rows
    share = 1.0 if most == "all" or not rows else min(1.0, int(most) / rows)
    narrow = replace(snapshot, columns=tuple(dict.fromkeys([*columns, *segments])))
    if not columns:
        return ()
    found = _Read(attempt.spark, narrow, share).summaries(Wanted(tuple(columns), tuple(segments)))
    looked_at = max((one.count for one in found.values()), default=0)
    types = {field.name: field.type for field in narrow.schema}
    return _told(found, "input", {name: types[name] for name in columns}, share=looked_at / rows if rows else 1.0)


def _predictions(attempt: Attempt, plan: Plan, stage: Stage) -> tuple[ColumnProfile, ...]:
    spark, ref, settings = attempt.spark, TableRef(stage.path, stage.path), attempt.settings
    threshold, segments = settings.output.threshold, settings.profile.segments
    schema = arrow_schema(load(spark, ref, stage.version).schema)
    columns = (PREDICTION, *(name for name in segments if name != PREDICTION))
    snapshot = Snapshot(ref, table_id(spark, ref), stage.version, schema, columns, ())
    kinds = prediction_columns(plan.model.output, threshold=threshold)
    wanted = Wanted(tuple(kinds), segments, Predicted(threshold, segments))
    return _told(_Read(spark, snapshot, 1.0).summaries(wanted), "prediction", kinds, share=1.0)


def _told(
    found: Summaries, log_type: Literal["input", "prediction"], kinds: dict[str, pa.DataType], *, share: float
) -> tuple[ColumnProfile, ...]:
    types = {name: spark_type(kind).simpleString() for name, kind in kinds.items()}
    return profile.profiles(found, log_type=log_type, types=types, share=share)


@dataclass(frozen=True, slots=True)
class _Read:
    """A share of a table's rows, by tasks that read its files themselves, or else through Spark."""

    spark: SparkSession
    snapshot: Snapshot
    share: float

    def summaries(self, wanted: Wanted) -> Summaries:
        try:
            files = listed(self.spark, self.snapshot)
            read = files.read.sampled(self.share) if self.share < 1 else files.read
            return profile.of_files(self.spark, replace(files, read=read), wanted)
        except Exception as error:  # noqa: BLE001  what only Spark reads; where that fails too, its own error tells why
            log.info("profile through Spark", reason=str(error).partition("\n")[0][:200])
            return profile.of_rows(self._rows(), wanted)

    def _rows(self) -> DataFrame:
        """A share by the hash of all columns: which rows it takes does not change from one time to the next."""
        rows = ingest.frame(self.spark, self.snapshot)
        if self.share >= 1:
            return rows
        place = F.pmod(F.xxhash64(*(F.col(quoted(name)) for name in self.snapshot.columns)), F.lit(_SHARES))
        return rows.where(place < F.lit(round(self.share * _SHARES)))
