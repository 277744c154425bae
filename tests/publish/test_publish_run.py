"""The publish: proven by the rows that readers see, whatever Delta's guard has skipped."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PinsConflict, TableChanged
from sparkscore.publish.postprocessing import derive_table_contract
from sparkscore.publish.publish_run import RowsToPublish, publish_run
from sparkscore.records import Pins, Publication, Run, TableRef
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.reject_column import null_reject_column
from sparkscore.stage.stage_store import StageStore
from sparkscore.store import commit_history
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
RUN = Run("job", AS_OF, 1, 1, Pins("id", 0, "model", "1", "digest", "scoring"), "flights", "m-1")
SCHEMA = pa.schema([("id", pa.int64())])
CONTRACT = derive_table_contract(SCHEMA, keys=["id"], output=pa.float64(), passthrough=[], threshold=None)


class Shelf:
    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = create_run_session(spark), folder
        self.target = Table(self.spark, TableRef("p", str(folder / "p")))

    def publish(self, run: Run, *, rows: int = 4) -> Publication:
        root = str(self.folder / "stage")
        frame = self.spark.range(rows).withColumn("prediction", F.lit(0.5))
        staged = frame.withColumn("_reject", null_reject_column())
        store = StageStore(self.spark, run, root)
        past = store.load_progress()
        now = past if past.is_complete else store.write_frame(staged, past=past)
        stage = store.build_record(now, chunks_reused=0)
        ensure_table(self.target, CONTRACT, job=run.job)
        made = RowsToPublish(
            lambda session: store.in_session(session).load_scored_rows(stage),
            CONTRACT.names,
            stage.scored,
            stage.rejected,
        )
        return publish_run(made, run, self.target, keys=["id"])


@pytest.fixture
def shelf(spark: SparkSession, tmp_path: Path) -> Shelf:
    return Shelf(spark, tmp_path)


def test_a_publication_tells_its_version_and_its_rows(shelf: Shelf) -> None:
    assert shelf.publish(RUN) == Publication("p", 1, RUN.run_id, 1, 4)


def test_the_same_run_again_is_the_same_publication(shelf: Shelf) -> None:
    assert shelf.publish(RUN) == shelf.publish(replace(RUN, attempt=2))


def test_a_slow_attempt_finds_itself_superseded_by_a_later_revision(shelf: Shelf) -> None:
    later = replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2"))
    shelf.publish(later)
    found = shelf.publish(RUN)
    assert (found.run_id, found.revision) == (later.run_id, 2)
    assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {later.run_id: 4}


def test_another_run_of_the_same_revision_is_refused_never_mixed(shelf: Shelf) -> None:
    shelf.publish(RUN)
    with pytest.raises(PinsConflict, match="another run published first"):
        shelf.publish(replace(RUN, pins=replace(RUN.pins, source_version=1)), rows=6)
    assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {RUN.run_id: 4}


def test_a_skipped_commit_over_an_emptied_table_is_no_success(shelf: Shelf) -> None:
    shelf.publish(RUN)
    DeltaTable.forPath(shelf.spark, str(shelf.target.path)).delete()
    with pytest.raises(TableChanged, match="--force"):
        shelf.publish(RUN)


def commit(shelf: Shelf) -> dict[str, str]:
    """What the newest commit of the prediction table says of itself."""
    row = DeltaTable.forPath(shelf.spark, str(shelf.target.path)).history(1).collect()[0]
    return {**row["operationParameters"], **row["operationMetrics"]}


def test_a_publish_of_new_keys_only_inserts(shelf: Shelf) -> None:
    shelf.publish(RUN)
    told = commit(shelf)
    assert (told["matchedPredicates"], told["numTargetRowsInserted"], told["numTargetFilesRemoved"]) == ("[]", "4", "0")


def test_another_revision_updates_what_it_matches(shelf: Shelf) -> None:
    shelf.publish(RUN)
    shelf.publish(replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2")))
    assert commit(shelf)["numTargetRowsUpdated"] == "4"


def test_few_rows_make_one_file_however_many_files_the_stage_has(shelf: Shelf) -> None:
    shelf.publish(RUN, rows=4_000)
    staged = list((shelf.folder / "stage").rglob("*.parquet"))
    published = list((shelf.folder / "p").glob("as_of_date=*/*.parquet"))
    assert len(staged) > 1
    assert len(published) == 1


def test_statistics_are_kept_for_what_names_a_row(shelf: Shelf) -> None:
    shelf.publish(RUN)
    added = shelf.spark.read.json(str(shelf.folder / "p" / "_delta_log" / f"{1:020}.json")).where("add is not null")
    statistics = json.loads(added.select("add.stats").collect()[0][0])
    assert statistics["numRecords"] == 4
    assert set(statistics["minValues"]) == {"id", "as_of"}
