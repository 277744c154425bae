"""The stage: predictions that are written, judged, and not visible to readers."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PublishConflict, ScanUnsupported
from sparkscore.records import Run, Snapshot, Stage, TableLocation, TableRef, format_commit_note
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.stage.stage_files import load_added_rows, load_listed_rows, read_listed_rows
from sparkscore.stage.stage_progress import StageProgress, progress_from_commits
from sparkscore.stage.staged_states import StagedStates
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.executor_trial import require_executor_access
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table

_NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""A stage is read as a whole."""


def stage_folder_name(stage_id: str) -> str:
    """The stage's folder among those of its job."""
    return stage_id[:32]


class StageStore:
    """The stage of a run below a root, as one session sees it: runs with equal pins and as_of share it.

    Its log is opened once. What its commits say (`load_progress`) is read anew each time: another attempt with equal
    pins may commit chunks to it meanwhile.
    """

    def __init__(self, spark: SparkSession, run: Run, root: str) -> None:
        self.spark, self.run, self.root = spark, run, root
        path = f"{root}/{run.identity_job}/{stage_folder_name(run.stage_id)}"
        self.table = Table(spark, TableRef(path, path))
        self._states: StagedStates | None = None

    def in_session(self, spark: SparkSession) -> "StageStore":
        """The stage as another session sees it."""
        store = StageStore(spark, self.run, self.root)
        store.table = self.table.in_session(spark)
        return store

    @property
    def guard(self) -> str:
        """Delta's application id of the commits; the version of the table that a commit makes is its version."""
        return f"sparkscore/stage/{self.run.stage_id}"

    @property
    def location(self) -> TableLocation | None:
        """Where tasks may write their files of the stage themselves; None where only Spark can."""
        try:
            require_executor_access(self.spark, self.table.location)
            return self.table.location
        except ScanUnsupported:
            return None

    def load_progress(self) -> StageProgress:
        """How far attempts with equal pins have come; read anew each time.

        Raises:  AccessDenied.
        """
        return progress_from_commits(load_commit_notes(self.table)) if self.table.exists() else StageProgress()

    def find_complete_stage(self) -> Stage | None:
        """The stage that attempts with equal pins have completed; None where there is none.

        Jobs:    as `load_progress`, and a count where the commits do not say how many rows there are.
        """
        past = self.load_progress()
        return self.build_record(past, chunks_reused=past.chunks) if past.is_complete else None

    def build_record(self, progress: StageProgress, *, chunks_reused: int) -> Stage:
        """The record of a complete stage.

        Jobs:    none; a count where the commits do not say how many rows there are.
        """
        total, rejected = (
            (progress.rows, progress.rejected) if progress.rows is not None else self._count_rows(progress.version)
        )
        return Stage(
            self.run.stage_id,
            str(self.table.path),
            progress.version,
            total,
            rejected,
            chunks_reused,
            progress.keys_ascend,
        )

    def pin_rows(self, stage: Stage, columns: Sequence[str]) -> Snapshot:
        """Columns of a complete stage as a pinned source, for a scan.

        Jobs:    none.
        """
        table = self.table
        schema = spark_to_arrow_schema(table.load_schema(stage.version))
        return Snapshot(table.ref, table.id, stage.version, schema, tuple(columns), ())

    def write_frame(self, frame: DataFrame, *, past: StageProgress) -> StageProgress:
        """Write the frame's rows as the stage, in one idempotent commit. Here the rows are scored.

        Jobs:    one Spark job that scores.
        Raises:  PredictError, PublishConflict where another attempt works on the same stage by chunks, AccessDenied.
        """
        options = {**self._commit_options("whole", past), **_NO_STATISTICS}
        append_rows(frame, self.table, options=options)
        now = self.load_progress()
        if not now.is_complete:
            raise PublishConflict(
                "another attempt scores the same stage in chunks", "one attempt at a time", "run it again"
            )
        return now

    def reset(self, *, past: StageProgress) -> StageProgress:
        """Remove all rows, so that any transport can begin: what was scored is thrown away in one commit.

        Jobs:    a small one.
        Raises:  PublishConflict, AccessDenied.
        """
        append_rows(
            self.table.load_rows().limit(0), self.table, options=self._commit_options("reset", past), mode="overwrite"
        )
        return self.load_progress()

    def find_states(self, stage: Stage) -> StagedStates | None:
        """What tasks have summarised of the stage's rows while they scored; None where tasks do not write its files."""
        if self.location is None:
            return None
        if self._states is None or self._states.stage != stage:
            self._states = StagedStates(self.table.log, stage)  # one object: it reads the files' metadata once
        return self._states

    def find_size(self, stage: Stage) -> int | None:
        """Bytes of the stage's files; None where only Spark reaches them.

        Jobs:    none.
        """
        files = self.table.ask_log(lambda log: pa.table(log.open_version(stage.version).get_add_actions()))
        return None if files is None else int(pc.sum(files["size_bytes"]).as_py() or 0)

    def load_rows(self, stage: Stage) -> DataFrame:
        """All rows of the stage at its version, rejected ones too.

        Grain:   one row per source row.
        """
        found = load_listed_rows(self.table, stage.version)
        return self.table.load_rows(stage.version) if found is None else found

    def load_added_rows(self, version: int) -> DataFrame | None:
        """The rows that the commit of a version has added; None where only Delta can tell which files those are.

        Jobs:    none.
        """
        return load_added_rows(self.table, version)

    def load_scored_rows(self, stage: Stage) -> DataFrame:
        """The rows that have a prediction, without `_reject`."""
        return self.load_rows(stage).where(f"{REJECT_COLUMN} IS NULL").drop(REJECT_COLUMN)

    def read_scored_rows(self, stage: Stage) -> pa.Table | None:
        """The same without Spark, as the types that the files have; None where only Spark reaches them.

        Needs:   a stage that the driver can hold.
        Jobs:    none.
        """
        return self.table.ask_log(lambda log: read_listed_rows(log, stage.version))

    def _commit_options(self, kind: str, past: StageProgress) -> dict[str, str]:
        return {
            "txnAppId": self.guard,
            "txnVersion": str(past.version + 1),
            "userMetadata": format_commit_note({"stage": kind}),
        }

    def _count_rows(self, version: int) -> tuple[int, int]:
        rows = self.table.load_rows(version)
        with translate_spark_errors(f"counting the stage {self.table.path}"):
            total, rejected = rows.agg(F.count(F.lit(1)), F.count(REJECT_COLUMN)).collect()[0]
        return total, rejected
