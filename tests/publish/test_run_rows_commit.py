"""Both guards of a publication that replaces another: a MERGE in a session of its own, and the writer's options.

The second one is for sessions that let nobody set the first: what it leaves is the same.
"""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import PinsConflict
from sparkscore.records import Run, TableRef
from sparkscore.store import commit_history
from sparkscore.store.table import Table
from tests.publish.test_publish_run import AS_OF, RUN, Shelf, commit, overtake
from tests.serverless import ServerlessSession

SECOND = replace(RUN, revision=2, pins=replace(RUN.pins, model_version="2"))
THIRD = replace(RUN, revision=3, pins=replace(RUN.pins, model_version="3"))
EVENING = AS_OF + timedelta(hours=18)
both = pytest.mark.parametrize("shelf", ["options", pytest.param("merge", marks=pytest.mark.slow)], indirect=True)
"""The guarded MERGE is looked at by other tests, too."""


def shelf_of(kind: str, spark: SparkSession, folder: Path) -> Shelf:
    return Shelf(ServerlessSession.beside(spark) if kind == "options" else spark, folder)


@pytest.fixture
def shelf(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Shelf:
    return shelf_of(getattr(request, "param", "options"), spark, tmp_path)


def visible(shelf: Shelf) -> dict[str, int]:
    return commit_history.count_rows_by_run(shelf.target, AS_OF)


def insert_as_somebody_else(shelf: Shelf, first: int = 90) -> None:
    """Two rows of a run that nobody knows, by a plain append."""
    like = shelf.target.load_rows().where(F.col("as_of") == F.lit(AS_OF)).limit(2).toArrow().to_pylist()
    rows = [{**row, "id": first + i, "run_id": "foreign"} for i, row in enumerate(like)]
    frame = shelf.spark.createDataFrame(rows, shelf.target.schema)
    frame.write.format("delta").mode("append").save(str(shelf.target.path))


def test_a_replacement_leaves_the_same_rows_columns_and_numbers_by_either(spark: SparkSession, tmp_path: Path) -> None:
    found: list[Any] = []
    for kind in ("merge", "options"):
        shelf = shelf_of(kind, spark, tmp_path / kind)
        shelf.publish(RUN, rows=6, direct=True)
        shelf.publish(replace(RUN, as_of=EVENING), rows=3, direct=True)  # of the same partition
        made = shelf.publish(SECOND, rows=4)
        rows = shelf.target.load_rows()
        found.append((made, rows.drop("scored_at").orderBy("as_of", "id").collect(), rows.schema))
        assert (made.table_version, made.removed, made.committed) == (3, 2, True)
        assert visible(shelf) == {SECOND.run_id: 4}
        assert not shelf.publish(replace(SECOND, attempt=2), rows=4).committed  # skipped
        assert shelf.target.load_newest_version() == 3
    assert found[0] == found[1]
    assert (commit(shelf)["mode"], json.loads(commit(shelf).get("partitionBy", ""))) == ("Overwrite", [])


@pytest.mark.slow
def test_the_last_commit_of_a_replacement_by_options_says_whose_it_is(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    shelf.publish(SECOND, rows=0)
    assert visible(shelf) == {}
    told = commit_history.find_run_commit(shelf.target, SECOND.run_id)
    assert told is not None
    assert (told.version, told.note.revision, told.note.rows) == (2, 2, 0)


@pytest.mark.slow
@both
def test_an_attempt_that_comes_too_late_finds_itself_superseded(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    shelf.publish(THIRD)
    found = shelf.publish(SECOND, rows=6)
    assert (found.run_id, found.revision) == (THIRD.run_id, 3)
    assert visible(shelf) == {THIRD.run_id: 4}


@both
@pytest.mark.parametrize(
    ("slow", "fast", "last"),
    [
        pytest.param(SECOND, THIRD, THIRD, id="superseded", marks=pytest.mark.slow),
        pytest.param(THIRD, SECOND, THIRD, id="supersedes"),
    ],
)
def test_of_two_revisions_at_once_the_later_one_is_visible_alone(shelf: Shelf, slow: Run, fast: Run, last: Run) -> None:
    shelf.publish(RUN, rows=9, direct=True)
    found = overtake(shelf, slow, lambda: shelf.publish(fast, rows=4))
    assert (found.run_id, found.revision) == (last.run_id, 3)
    assert visible(shelf) == {last.run_id: 4}


@pytest.mark.slow
@both
def test_of_one_revision_at_once_one_commits_and_the_other_knows_it(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    found = overtake(shelf, SECOND, lambda: shelf.publish(SECOND))
    assert (found.table_version, found.committed) == (2, False)
    assert visible(shelf) == {SECOND.run_id: 4}


@pytest.mark.slow
@both
def test_of_another_run_of_the_same_revision_at_once_it_is_refused_and_never_mixed(shelf: Shelf) -> None:
    other = replace(SECOND, pins=replace(RUN.pins, model_version="9"))
    shelf.publish(RUN, direct=True)
    with pytest.raises(PinsConflict, match="another run published first"):
        overtake(shelf, SECOND, lambda: shelf.publish(other))
    assert visible(shelf) == {other.run_id: 4}


@both
def test_two_as_ofs_of_one_date_at_once_are_both_replaced(shelf: Shelf) -> None:
    evening = replace(SECOND, as_of=EVENING)
    shelf.publish(RUN, direct=True)
    shelf.publish(replace(RUN, as_of=EVENING), direct=True)
    assert overtake(shelf, SECOND, lambda: shelf.publish(evening)).committed
    assert visible(shelf) == {SECOND.run_id: 4}
    assert commit_history.count_rows_by_run(shelf.target, EVENING) == {evening.run_id: 4}


def test_rows_that_somebody_else_adds_meanwhile_are_not_lost_and_the_run_is_refused(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    with pytest.raises(PinsConflict, match="got rows of run foreign for this as_of meanwhile"):
        overtake(shelf, SECOND, lambda: insert_as_somebody_else(shelf))
    assert visible(shelf) == {RUN.run_id: 4, "foreign": 2}
    assert shelf.publish(THIRD).committed  # `--replace`: it knows of them
    assert visible(shelf) == {THIRD.run_id: 4}


def test_a_first_revision_replaces_nobodys_rows(shelf: Shelf) -> None:
    shelf.publish(replace(RUN, as_of=EVENING), direct=True)
    like = shelf.target.load_rows().withColumn("as_of", F.lit(AS_OF)).withColumn("run_id", F.lit("foreign"))
    like.write.format("delta").mode("append").save(str(shelf.target.path))
    with pytest.raises(PinsConflict, match="holds run foreign"):
        shelf.publish(RUN, rows=9)
    assert (visible(shelf), shelf.target.load_newest_version()) == ({"foreign": 4}, 2)


@pytest.mark.slow
def test_a_key_that_is_null_is_an_error_and_the_table_stays_as_it_was(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    with pytest.raises(Exception, match="NOT NULL constraint"):
        shelf.publish(SECOND, before=lambda rows: rows.withColumn("id", F.expr("nullif(id, 2)")))
    assert visible(shelf) == {RUN.run_id: 4}


@pytest.mark.slow
def test_a_column_that_is_added_meanwhile_is_null_in_what_is_published(shelf: Shelf) -> None:
    shelf.publish(RUN, direct=True)
    add = f"ALTER TABLE {shelf.target.sql_name} ADD COLUMN extra INT"
    assert overtake(shelf, SECOND, lambda: shelf.spark.sql(add)).committed
    assert shelf.target.load_rows().where("extra IS NULL").count() == 4
    assert visible(shelf) == {SECOND.run_id: 4}


def test_of_a_table_of_the_catalog_it_replaces_the_as_ofs_rows_and_nothing_else(
    spark: SparkSession, tmp_path: Path
) -> None:
    shelf = shelf_of("options", spark, tmp_path)
    spark.sql(f"CREATE SCHEMA fence LOCATION '{tmp_path}/fence'")
    try:
        shelf.target = Table(shelf.spark, TableRef("fence.p", None))
        shelf.publish(RUN, rows=6)
        shelf.publish(replace(RUN, as_of=EVENING), rows=3)
        before = (shelf.target.schema, shelf.target.properties, shelf.target.id, shelf.target.partition_columns)
        assert shelf.publish(SECOND, rows=4).removed == 2
        version = shelf.target.load_newest_version()
        assert not shelf.publish(replace(SECOND, attempt=2), rows=4).committed
        assert shelf.publish(THIRD, rows=5).committed
        assert shelf.publish(SECOND, rows=4).run_id == THIRD.run_id
        assert shelf.target.load_newest_version() == version + 1
        assert visible(shelf) == {THIRD.run_id: 5}
        assert sum(commit_history.count_rows_by_run(shelf.target, EVENING).values()) == 3
        found = shelf.target.refresh()
        assert (found.schema, found.properties, found.id, found.partition_columns) == before
    finally:
        spark.sql("DROP SCHEMA fence CASCADE")
