"""The publish: proven by the rows that readers see, whatever Delta's guard has skipped."""

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyarrow import fs
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.errors import PinsConflict, TableChanged
from sparkscore.publish import few_rows, run_rows_commit
from sparkscore.publish.postprocessing import derive_table_contract
from sparkscore.publish.publish_run import publish_run
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import Pins, Publication, Run, Stage, TableRef
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.reject_column import null_reject_column
from sparkscore.stage.stage_store import StageStore
from sparkscore.store import commit_history, direct_commits
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

    def stage(self, run: Run, rows: int) -> tuple[StageStore, Stage]:
        """The run's stage with so many rows, and the table."""
        frame = self.spark.range(rows).withColumn("prediction", F.lit(0.5))
        staged = frame.withColumn("_reject", null_reject_column())
        store = StageStore(self.spark, run, str(self.folder / "stage"))
        past = store.load_progress()
        now = past if past.is_complete else store.write_frame(staged, past=past)
        ensure_table(self.target, CONTRACT, job=run.job)
        return store, store.build_record(now, chunks_reused=0)

    def publish(
        self,
        run: Run,
        *,
        rows: int = 4,
        before: Callable[[DataFrame], DataFrame] | None = None,
        direct: bool = False,
    ) -> Publication:
        """`before`: what is done to the rows while they are published; `direct`: where possible without Spark."""
        store, stage = self.stage(run, rows)

        def build(session: SparkSession) -> DataFrame:
            found = store.in_session(session).load_scored_rows(stage)
            return found if before is None else before(found)

        made = RowsToPublish(
            build,
            CONTRACT.names,
            stage.scored,
            stage.rejected,
            store.find_size(stage),
            (lambda: store.read_scored_rows(stage)) if direct else (lambda: None),
        )
        return publish_run(made, run, self.target, keys=["id"])


@pytest.fixture(scope="module")
def staged(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage of RUN with four rows, and an empty table."""
    folder = tmp_path_factory.mktemp("staged")
    Shelf(spark, folder).stage(RUN, 4)
    return folder


@pytest.fixture
def shelf(spark: SparkSession, staged: Path, tmp_path: Path) -> Shelf:
    shutil.copytree(staged, tmp_path, dirs_exist_ok=True)
    return Shelf(spark, tmp_path)


@pytest.fixture
def empty_shelf(spark: SparkSession, tmp_path: Path) -> Shelf:
    return Shelf(spark, tmp_path)


@pytest.fixture(scope="module")
def once_published(spark: SparkSession, staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(staged, folder, dirs_exist_ok=True)
    Shelf(spark, folder).publish(RUN)
    return folder


@pytest.fixture
def published(spark: SparkSession, once_published: Path, tmp_path: Path) -> Shelf:
    """RUN is published."""
    shutil.copytree(once_published, tmp_path, dirs_exist_ok=True)
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


def test_another_run_of_the_same_revision_is_refused_never_mixed(published: Shelf) -> None:
    with pytest.raises(PinsConflict, match="another run published first"):
        published.publish(replace(RUN, pins=replace(RUN.pins, source_version=1)), rows=6)
    assert commit_history.count_rows_by_run(published.target, AS_OF) == {RUN.run_id: 4}


def test_a_skipped_commit_over_an_emptied_table_is_no_success(published: Shelf) -> None:
    DeltaTable.forPath(published.spark, str(published.target.path)).delete()
    with pytest.raises(TableChanged, match="--force"):
        published.publish(RUN)


def commit(shelf: Shelf) -> dict[str, str]:
    """What the newest commit of the prediction table says of itself."""
    row = DeltaTable.forPath(shelf.spark, str(shelf.target.path)).history(1).collect()[0]
    return {**row["operationParameters"], **(row["operationMetrics"] or {})}


def test_a_first_publication_is_an_append_that_reads_no_row_of_the_table(published: Shelf) -> None:
    told = commit(published)
    assert (told["mode"], told["numOutputRows"]) == ("Append", "4")


def test_where_only_spark_counts_rows_a_first_publication_is_a_merge_that_only_inserts(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (commit_history, run_rows_commit):
        monkeypatch.setattr(module, "find_rows_by_run", lambda *_: None)
    assert shelf.publish(RUN) == Publication("p", 1, RUN.run_id, 1, 4)
    told = commit(shelf)
    assert (told["matchedPredicates"], told["numTargetRowsInserted"], told["numTargetFilesRemoved"]) == ("[]", "4", "0")
    monkeypatch.undo()
    other = Shelf(shelf.spark, shelf.folder / "other")
    other.publish(RUN)
    tables = [one.target.load_rows().drop("scored_at").orderBy("id").collect() for one in (shelf, other)]
    assert tables[0] == tables[1]
    assert shelf.target.load_rows().schema == other.target.load_rows().schema
    assert not shelf.publish(RUN).committed


def test_a_publication_without_rows_is_one_too(empty_shelf: Shelf) -> None:
    assert empty_shelf.publish(RUN, rows=0) == Publication("p", 1, RUN.run_id, 1, 0)
    assert not empty_shelf.publish(replace(RUN, attempt=2), rows=0).committed


def overtake(shelf: Shelf, run: Run, by: Callable[[], object]) -> Publication:
    """The publication of a run that had begun to write when something else was done, of which it had seen nothing."""
    begun, go = shelf.folder / "begun", shelf.folder / "go"

    def slowly(value: float) -> float:
        begun.touch()
        while not go.exists():
            time.sleep(0.05)
        return value

    delayed = F.udf(slowly, "double", useArrow=False)
    ensure_table(shelf.target, CONTRACT, job=run.job)
    with ThreadPoolExecutor(1) as pool:
        slow = Shelf(shelf.spark, shelf.folder)
        made = pool.submit(slow.publish, run, before=lambda rows: rows.withColumn("prediction", delayed("prediction")))
        try:
            while not begun.exists() and not made.done():
                time.sleep(0.05)
            by()
        finally:
            go.touch()
        return made.result()


class TestAtOnce:
    """A publication that has begun to write when another one of the same as_of commits."""

    def overtake(self, shelf: Shelf, run: Run, *, by: Run) -> Publication:
        def publish() -> None:
            assert shelf.publish(by).committed

        return overtake(shelf, run, publish)

    def test_of_the_same_run_and_attempt_is_skipped_and_knows_it(self, shelf: Shelf) -> None:
        found = self.overtake(shelf, RUN, by=RUN)
        assert (found.table_version, found.committed) == (1, False)
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {RUN.run_id: 4}

    def test_of_another_run_is_refused_and_never_mixed(self, shelf: Shelf) -> None:
        other = replace(RUN, pins=replace(RUN.pins, model_version="2"))
        with pytest.raises(PinsConflict, match="another run published first"):
            self.overtake(shelf, RUN, by=other)
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {other.run_id: 4}

    def test_of_a_later_revision_is_superseded(self, shelf: Shelf) -> None:
        later = replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2"))
        assert self.overtake(shelf, RUN, by=later).run_id == later.run_id
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {later.run_id: 4}

    def test_of_another_as_of_commits_without_another_try(self, shelf: Shelf) -> None:
        evening = replace(RUN, as_of=AS_OF.replace(hour=18))
        assert self.overtake(shelf, RUN, by=evening).committed
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {RUN.run_id: 4}
        assert len(list((shelf.folder / "p").glob("as_of_date=*/*.parquet"))) == 2


def written(shelf: Shelf) -> tuple[list[Row], StructType, dict[str, Any]]:
    """The rows, the columns, and the newest commit's statistics."""
    rows = shelf.target.load_rows()
    log = sorted((shelf.folder / "p" / "_delta_log").glob("*.json"))[-1].read_text().splitlines()
    added = [json.loads(line)["add"] for line in log if '"add"' in line]
    return rows.drop("scored_at").orderBy("id").collect(), rows.schema, json.loads(added[0]["stats"])


class TestFewRows:
    """They are published by the driver, as Spark publishes them."""

    def test_no_spark_job_runs_and_readers_see_what_spark_writes(self, shelf: Shelf, once_published: Path) -> None:
        other = Shelf(shelf.spark, once_published)
        shelf.publish(replace(RUN, as_of=AS_OF.replace(year=2000)), direct=True)
        published = shelf.publish(RUN, direct=True)
        assert (published.table_version, published.committed, published.removed) == (2, True, 0)
        assert str(commit(shelf).get("numOutputRows")) == "None"  # Spark's own metric
        mine, theirs = written(shelf), written(other)
        assert [row for row in mine[0] if row["as_of_date"] == AS_OF.date()] == theirs[0]
        assert mine[1:] == theirs[1:]

    def test_the_same_again_is_the_same_publication_and_a_later_revision_replaces_it(self, shelf: Shelf) -> None:
        first = shelf.publish(RUN, direct=True)
        again = shelf.publish(replace(RUN, attempt=2), direct=True)
        assert (again, again.committed) == (first, False)
        later = replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2"))
        assert shelf.publish(later, direct=True).committed
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {later.run_id: 4}

    def test_rows_that_are_gone_although_the_guard_is_there_are_told_of(self, shelf: Shelf) -> None:
        shelf.publish(RUN, direct=True)
        DeltaTable.forPath(shelf.spark, str(shelf.target.path)).delete()
        with pytest.raises(TableChanged, match="--force"):
            shelf.publish(RUN, direct=True)

    @pytest.mark.parametrize("by", [RUN, replace(RUN, pins=replace(RUN.pins, model_version="2"))])
    def test_whoever_commits_before_it_is_seen(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, by: Run) -> None:
        original = direct_commits.commit_actions
        called: list[int] = []

        def overtaken(*given: Any, **named: Any) -> None:
            called.append(1)
            if len(called) == 1:
                assert Shelf(shelf.spark, shelf.folder).publish(by).committed
            original(*given, **named)

        monkeypatch.setattr(direct_commits, "commit_actions", overtaken)
        if by == RUN:
            assert not shelf.publish(RUN, direct=True).committed
        else:
            with pytest.raises(PinsConflict, match="another run published first"):
                shelf.publish(RUN, direct=True)
        assert called == [1]
        assert commit_history.count_rows_by_run(shelf.target, AS_OF) == {by.run_id: 4}

    def test_spark_does_it_where_the_driver_cannot(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise OSError("no")

        monkeypatch.setattr(direct_commits, "write_rows_file", fail)
        assert shelf.publish(RUN, direct=True).committed
        assert commit(shelf)["numOutputRows"] == "4"

    def test_spark_does_it_in_object_stores(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        elsewhere = replace(shelf.target.location, filesystem=fs.LocalFileSystem())
        monkeypatch.setattr(Table, "location", property(lambda _: elsewhere))
        assert shelf.publish(RUN, direct=True).committed
        assert commit(shelf)["numOutputRows"] == "4"

    def test_spark_does_it_for_large_stages_and_columns_of_another_type(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(few_rows, "_MOST_BYTES", 10)
            shelf.publish(RUN, direct=True)
        assert commit(shelf)["numOutputRows"] == "4"
        monkeypatch.setattr(
            StageStore, "read_scored_rows", lambda *_: pa.table({"id": [0, 1, 2, 3], "prediction": [1] * 4})
        )
        shelf.publish(replace(RUN, as_of=AS_OF.replace(year=2000)), direct=True)
        assert commit(shelf)["numOutputRows"] == "4"


def test_rows_of_somebody_else_in_the_as_of_are_told_of_never_counted_as_ours(shelf: Shelf) -> None:
    def insert_others(rows: DataFrame) -> DataFrame:
        theirs = rows.selectExpr("id + 100 AS id", "prediction", "'somebody' AS run_id", *constants)
        theirs.write.format("delta").mode("append").save(str(shelf.target.path))
        return rows

    constants = (f"DATE'{AS_OF.date()}' AS as_of_date", "TIMESTAMP_LTZ'2013-12-31 00:00:00Z' AS as_of")
    with pytest.raises(PinsConflict, match="somebody"):
        shelf.publish(RUN, before=insert_others)


@pytest.mark.parametrize(
    ("size", "files"), [(0, 1), (8 << 20, 1), (9 << 20, 2), (1 << 30, 8), (100 << 30, 800), (None, 1)]
)
def test_files_follow_the_bytes_and_fill_the_slots(spark: SparkSession, size: int | None, files: int) -> None:
    rows = RowsToPublish(lambda session: session.range(4), CONTRACT.names, 4, 0, size)
    assert run_rows_commit._choose_file_count(rows, spark) == files


def test_another_revision_updates_what_it_matches(published: Shelf) -> None:
    published.publish(replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2")))
    assert commit(published)["numTargetRowsUpdated"] == "4"


def test_few_rows_make_one_file_however_many_files_the_stage_has(empty_shelf: Shelf) -> None:
    empty_shelf.publish(RUN, rows=4_000)
    staged = list((empty_shelf.folder / "stage").rglob("*.parquet"))
    published = list((empty_shelf.folder / "p").glob("as_of_date=*/*.parquet"))
    assert len(staged) > 1
    assert len(published) == 1


def test_statistics_are_kept_for_what_names_a_row(published: Shelf) -> None:
    added = published.spark.read.json(str(published.folder / "p" / "_delta_log" / f"{1:020}.json")).where(
        "add is not null"
    )
    statistics = json.loads(added.select("add.stats").collect()[0][0])
    assert statistics["numRecords"] == 4
    assert set(statistics["minValues"]) == {"id", "as_of"}
