"""The visible rows of a publication, from the files and by Spark."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError, ScanUnsupported, SparkNeeded
from sparkscore.ingest import published_rows
from sparkscore.ingest.published_rows import open_published_rows
from sparkscore.records import ExportedRun, TableRef
from sparkscore.store.table import Table
from tests.world import AS_OF, World


@pytest.fixture
def run(world: World) -> ExportedRun:
    report = world.begin_with()
    world.begin_with(as_of="2014-01-01")  # whose rows are no part of it
    moment = datetime.fromisoformat(AS_OF).replace(tzinfo=UTC)
    return ExportedRun("late-flights", moment, str(report.run_id), 1, 60, ("id",))


def rows_of(table: Table, run: ExportedRun, *columns: str) -> pa.Table:
    rows = open_published_rows(table, run, columns)
    return pa.Table.from_batches(rows.open_batches(), rows.schema).sort_by("id")


def test_spark_gives_the_same_rows_as_the_files(
    world: World, run: ExportedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = TableRef("predictions", world.path("predictions"))
    direct = rows_of(Table(None, ref), run)  # without a session: by the files
    assert direct["id"].to_pylist() == list(range(60))
    assert direct.column_names == world.predictions().columns.to_list()
    assert direct["as_of"].unique().to_pylist() == [run.as_of]

    def refuse(*_: object, **__: object) -> None:
        raise ScanUnsupported("only Spark reads it")

    monkeypatch.setattr(published_rows, "plan_file_scan", refuse)
    assert rows_of(Table(world.spark, ref), run).equals(direct)
    with pytest.raises(SparkNeeded):
        rows_of(Table(None, ref), run)


def test_some_columns_are_read_and_one_that_is_not_there_is_refused(world: World, run: ExportedRun) -> None:
    table = Table(None, TableRef("predictions", world.path("predictions")))
    assert rows_of(table, run, "prediction", "id").column_names == ["prediction", "id"]
    with pytest.raises(ConfigError, match="no column nowhere"):
        rows_of(table, run, "nowhere")
