"""One table, migrated: columns dropped and widened, another owner, each by one commit."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable as PlainTable
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ForeignTable, PublishConflict, UnsupportedSession
from sparkscore.records import MigrationRequest, TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.store import table_transaction
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_migration import migrate_table, plan_table_migration
from sparkscore.store.table_transaction import TableTransaction

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
OUTPUT = pa.struct([("risk", pa.float32()), ("parts", pa.list_(pa.struct([("n", pa.int32())])))])
CONTRACT = prediction_contract(
    [ContractColumn("id", pa.int32(), "the key", nullable=False)],
    OUTPUT,
    [ContractColumn("carrier", pa.string(), "copied"), ContractColumn("dist", pa.float32(), "copied")],
    threshold=None,
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    made = Table(spark, TableRef("p", str(tmp_path / "p")))
    ensure_table(made, CONTRACT, job="job")
    add_row(made, 1)
    return made


def add_row(table: Table, key: int) -> None:
    kinds = "id int, prediction struct<risk: float, parts: array<struct<n: int>>>, carrier string, dist float"
    row = (key, (0.5, [(7,), None]), "AA", 2.5, AS_OF, AS_OF.date())
    frame = table.spark.createDataFrame([row], f"{kinds}, as_of timestamp, as_of_date date")
    append_rows(frame.coalesce(1), table)


def anew(table: Table) -> Table:
    return Table(table.spark, table.ref)


def rows(table: Table, *names: str) -> list[dict[str, Any]]:
    frame = anew(table).load_rows().orderBy("id").select(*names)
    return [row.asDict(recursive=True) for row in frame.collect()]


def test_all_that_is_asked_for_is_one_commit_that_keeps_the_rest(table: Table) -> None:
    kept = dict(table.properties)
    request = MigrationRequest(
        "new",
        "job",
        ("carrier",),
        {"id": "bigint", "prediction.risk": "double", "prediction.parts.element.n": "bigint"},
    )
    done = migrate_table(table, "", request)
    now = anew(table)
    assert (done.dropped, done.renamed_from, len(done.widened), now.load_newest_version()) == (
        ("carrier",),
        "job",
        3,
        2,
    )
    assert rows(table, "id", "prediction", "dist") == [
        {"id": 1, "prediction": {"risk": 0.5, "parts": [{"n": 7}, None]}, "dist": 2.5}
    ]
    kind = "struct<risk:double,parts:array<struct<n:bigint>>>"
    assert now.schema["prediction"].dataType.simpleString() == kind
    assert "carrier" not in now.schema.names
    assert (now.schema["id"].nullable, now.schema["id"].metadata["comment"]) == (False, "the key")
    assert now.partition_columns == ("as_of_date",)
    assert now.properties == {**kept, "sparkscore.job": "new", "sparkscore.former_jobs": "job"}
    assert PlainTable(str(table.path)).protocol().min_reader_version == 1
    assert now.load_rows(1).select("carrier").collect()[0][0] == "AA"  # the older version is still there to be read


def test_a_second_call_commits_nothing(table: Table) -> None:
    request = MigrationRequest("new", "job", ("carrier",), {"dist": "double"})
    migrate_table(table, "", request)
    before = anew(table).load_newest_version()
    assert not migrate_table(table, "", request).is_needed
    assert anew(table).load_newest_version() == before


def test_planning_changes_nothing(table: Table) -> None:
    planned = plan_table_migration(table, "", MigrationRequest("new", "job", ("carrier",), {"dist": "double"}))
    assert (planned.changes.dropped, planned.changes.widened) == (("carrier",), ("dist double",))
    assert anew(table).load_newest_version() == 1


def test_the_names_that_a_job_had_are_kept_in_order(table: Table) -> None:
    migrate_table(table, "", MigrationRequest("second", "job"))
    migrate_table(table, "", MigrationRequest("third", "second"))
    found = anew(table).properties
    assert (found["sparkscore.job"], found["sparkscore.former_jobs"]) == ("third", "job,second")


@pytest.mark.parametrize("rename_from", [None, "somebody"])
def test_a_table_of_a_third_job_is_refused(table: Table, rename_from: str | None) -> None:
    with pytest.raises(ForeignTable, match="belongs to the job job"):
        migrate_table(table, "", MigrationRequest("new", rename_from))


def test_keys_and_the_constants_of_a_run_are_not_dropped(table: Table) -> None:
    with pytest.raises(ConfigError, match="id, run_id, which every row has"):
        migrate_table(table, "", MigrationRequest("job", None, ("id", "run_id")))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("dist", "int", "does not hold all of its values"),
        ("carrier", "double", "does not hold all of its values"),
        ("nowhere", "double", "which is no column of p"),
        ("prediction", "double", "which is no column of p"),
        ("source_version", "decimal(38,0)", "which is no column of p"),
        ("dist", "doubel", "--widen dist=doubel"),
    ],
)
def test_what_is_not_wider_is_refused(table: Table, name: str, kind: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_table_migration(table, "", MigrationRequest("job", None, (), {name: kind}))


def test_rows_that_somebody_commits_meanwhile_are_a_conflict_never_lost(table: Table) -> None:
    late = TableTransaction.open(table, {})
    frame = late.table.load_rows(late.version)
    add_row(table, 2)
    with pytest.raises(PublishConflict):
        late.commit(schema=late.schema, properties={}, rows=frame)
    migrate_table(table, "", MigrationRequest("job", None, ("carrier",)))
    assert [row["id"] for row in rows(table, "id")] == [1, 2]


def test_where_only_sql_is_there_rows_are_not_written_anew(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_transaction, "_open_delta_transaction", lambda _: None)
    with pytest.raises(UnsupportedSession, match="have to be written anew"):
        migrate_table(table, "", MigrationRequest("job", None, ("carrier",)))
    migrate_table(table, "", MigrationRequest("new", "job"))
    assert anew(table).properties["sparkscore.former_jobs"] == "job"
