"""Tables that get what they lack: columns, nested fields, a newer schema version."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable as PlainTable
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.records import TableRef
from sparkscore.schemas import (
    RUNS_CONTRACT,
    SCHEMA_STEPS,
    SCHEMA_VERSION,
    SIDE_TABLES,
    ContractColumn,
    TableContract,
    columns_added_since,
    prediction_contract,
)
from sparkscore.spark.isolated_session import create_guarded_session
from sparkscore.store import table_contracts, table_growth, table_transaction
from sparkscore.store.commit_history import load_commit_notes
from sparkscore.store.guarded_writes import append_rows, merge_into_table
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_growth import plan_table_growth

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
KEY = ContractColumn("id", pa.int64(), "key", nullable=False)
CARRIER = ContractColumn("carrier", pa.string(), "Copied; it's text.")


def contract(
    *passthrough: ContractColumn, output: pa.DataType | None = None, threshold: float | None = None
) -> TableContract:
    return prediction_contract([KEY], output or pa.float64(), passthrough, threshold=threshold)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    return Table(spark, TableRef("p", str(tmp_path / "p")))


def publish(table: Table, revision: int = 1, **values: Any) -> None:
    """One row of one as_of by a guarded MERGE."""
    session = create_guarded_session(table.spark, app_id="job", version=revision, note="{}")
    assert session is not None
    columns = {"id": 1, **values, "run_id": f"r{revision}", "as_of": AS_OF, "as_of_date": AS_OF.date()}
    names = [name for name in table.schema.names if name in columns]
    frame = session.createDataFrame([tuple(columns[name] for name in names)], names_schema(table, names))
    merge_into_table(frame, table, keys=["id"], as_of=AS_OF)


def names_schema(table: Table, names: list[str]) -> str:
    return ", ".join(f"`{name}` {table.schema[name].dataType.simpleString()}" for name in names)


def seen(table: Table) -> list[dict[str, Any]]:
    return [row.asDict(recursive=True) for row in Table(table.spark, table.ref).load_rows().collect()]


def test_new_columns_are_added_in_one_commit_and_are_null_in_older_rows(table: Table) -> None:
    ensure_table(table, contract(), job="job")
    publish(table, prediction=0.5)
    before = Table(table.spark, table.ref)
    kept, version = dict(before.properties), before.load_newest_version()
    ensure_table(table.refresh(), contract(CARRIER, threshold=0.4), job="job")
    grown = Table(table.spark, table.ref)
    assert grown.load_newest_version() == version + 1
    assert [*grown.schema.names][-2:] == ["label", "carrier"]
    assert grown.schema["carrier"].metadata["comment"] == CARRIER.comment
    assert not grown.schema["id"].nullable
    assert (dict(grown.properties), grown.partition_columns) == (kept, ("as_of_date",))
    assert [(row["prediction"], row["label"], row["carrier"]) for row in seen(table)] == [(0.5, None, None)]


def test_a_plain_reader_of_the_older_columns_goes_on(table: Table) -> None:
    ensure_table(table, contract(), job="job")
    publish(table, prediction=0.5)
    ensure_table(table.refresh(), contract(CARRIER), job="job")
    plain = PlainTable(str(table.path))
    assert plain.protocol().min_reader_version == 1
    assert plain.to_pyarrow_table(columns=["id", "prediction"]).to_pylist() == [{"id": 1, "prediction": 0.5}]


def test_a_table_that_lacks_nothing_gets_no_commit(table: Table) -> None:
    ensure_table(table, contract(CARRIER), job="job")
    ensure_table(table.refresh(), contract(), job="job")
    assert Table(table.spark, table.ref).load_newest_version() == 0
    assert plan_table_growth(table, contract(), job="job").unwritten == ("carrier",)


def test_fields_inside_of_an_output_are_added_in_place(table: Table) -> None:
    older = pa.struct([("a", pa.float64()), ("l", pa.list_(pa.struct([("b", pa.int32())])))])
    newer = pa.struct(
        [("n", pa.string()), ("a", pa.float64()), ("l", pa.list_(pa.struct([("b", pa.int32()), ("c", pa.int32())])))]
    )
    ensure_table(table, contract(output=older), job="job")
    publish(table, prediction=(0.5, [(1,)]))
    assert set(plan_table_growth(table, contract(output=newer), job="job").added) == {
        "prediction.n string",
        "prediction.l.element.c int",
    }
    ensure_table(table.refresh(), contract(output=newer), job="job")
    assert seen(table)[0]["prediction"] == {"a": 0.5, "l": [{"b": 1, "c": None}], "n": None}


def test_what_a_newer_run_does_not_write_is_null_and_what_it_writes_narrower_is_cast(table: Table) -> None:
    output = pa.struct([("a", pa.float64()), ("gone", pa.string())])
    ensure_table(table, contract(CARRIER, output=output), job="job")
    publish(table, prediction=(0.5, "x"), carrier="AA")
    session = create_guarded_session(table.spark, app_id="job", version=2, note="{}")
    assert session is not None
    row = (1, (1.5,), "r2", AS_OF, AS_OF.date())
    kinds = "id long, prediction struct<a: float>, run_id string, as_of timestamp, as_of_date date"
    merge_into_table(session.createDataFrame([row], kinds), table, keys=["id"], as_of=AS_OF)
    (found,) = seen(table)
    assert (found["run_id"], found["carrier"], found["prediction"]) == ("r2", None, {"a": 1.5, "gone": None})


def test_a_table_of_an_older_version_is_migrated_in_one_commit_with_its_new_columns(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_version_1(table, "_runs", monkeypatch)
    ensure_table(table.refresh(), RUNS_CONTRACT, job="job")
    grown = Table(table.spark, table.ref)
    assert (grown.load_newest_version(), grown.properties["sparkscore.schema"]) == (1, str(SCHEMA_VERSION))
    assert grown.schema.names == list(RUNS_CONTRACT.names)
    assert load_commit_notes(grown)[-1][1] == {"added": ["verb string"], "job": "job", "schema": SCHEMA_VERSION}


def create_version_1(table: Table, suffix: str, patch: pytest.MonkeyPatch) -> None:
    """The table as version 1 of the contracts made it."""
    newer = {column.name for column in columns_added_since(1, suffix)}
    contract = SIDE_TABLES[suffix]
    former = replace(contract, columns=tuple(one for one in contract.columns if one.name not in newer))
    patch.setattr(table_contracts, "SCHEMA_VERSION", 1)
    table_contracts._create_contract_table(table, former, job="job")


@pytest.mark.parametrize("suffix", sorted(SIDE_TABLES))
def test_each_step_only_adds_columns_that_may_be_null_and_that_the_contract_has(suffix: str) -> None:
    for step in SCHEMA_STEPS:
        for column in step.added.get(suffix, ()):
            assert column.nullable
            assert column in SIDE_TABLES[suffix].columns
    assert [step.version for step in SCHEMA_STEPS] == list(range(2, SCHEMA_VERSION + 1))


def test_all_who_add_the_same_at_once_find_it_added_once(spark: SparkSession, table: Table) -> None:
    ensure_table(table, contract(), job="job")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure_table(Table(spark, table.ref), contract(CARRIER), job="job"), range(4)))
    grown = Table(spark, table.ref)
    assert (grown.load_newest_version(), grown.schema.names.count("carrier")) == (1, 1)


def test_who_changes_the_columns_first_is_a_conflict_for_the_other(table: Table) -> None:
    ensure_table(table, contract(), job="job")
    late = table_transaction.TableTransaction.open(table, {})
    ensure_table(table.refresh(), contract(CARRIER), job="job")
    with pytest.raises(PublishConflict):
        late.commit(schema=late.schema, properties={"sparkscore.job": "other"})


def test_a_publication_under_way_goes_on_when_a_column_is_added(table: Table) -> None:
    ensure_table(table, contract(), job="job")
    late = table_transaction.TableTransaction.open(table, {})
    publish(table, prediction=0.5)
    wider = table_growth.to_spark_schema([*contract().columns, CARRIER])
    late.commit(schema=wider, properties={})
    assert [(row["prediction"], row["carrier"]) for row in seen(table)] == [(0.5, None)]


def test_a_type_that_is_too_narrow_is_refused_with_the_command_that_widens_it(table: Table) -> None:
    ensure_table(table, contract(output=pa.float32()), job="job")
    with pytest.raises(ConfigError, match="prediction is float, the job writes double") as caught:
        plan_table_growth(table, contract(), job="job")
    assert "`migrate --widen prediction=double`" in caught.value.do


@pytest.mark.parametrize("keys", [("carrier",), ("id", "carrier"), ("id", "day")])
def test_other_keys_are_refused_for_they_are_what_a_row_is(table: Table, keys: tuple[str, ...]) -> None:
    ensure_table(table, contract(CARRIER), job="job")
    kinds = {"id": pa.int64(), "carrier": pa.string(), "day": pa.date32()}
    columns = [ContractColumn(name, kinds[name], "key", nullable=False) for name in keys]
    with pytest.raises(ConfigError, match=r"one row per \(id, as_of\)") as caught:
        plan_table_growth(table, prediction_contract(columns, pa.float64(), [], threshold=None), job="job")
    assert "source.keys" in caught.value.do


def test_a_name_that_differs_by_case_alone_is_refused(table: Table) -> None:
    ensure_table(table, contract(CARRIER), job="job")
    other = ContractColumn("Carrier", pa.string(), "")
    with pytest.raises(ConfigError, match="Carrier string is there in other letters"):
        plan_table_growth(table, contract(other), job="job")


def test_where_delta_has_other_classes_the_same_is_done_by_statements(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_transaction, "_open_delta_transaction", lambda _: None)
    older, newer = pa.struct([("a", pa.float64())]), pa.struct([("a", pa.float64()), ("b", pa.int32())])
    ensure_table(table, contract(output=older), job="job")
    ensure_table(table.refresh(), contract(CARRIER, output=newer), job="job")
    grown = Table(table.spark, table.ref)
    assert (grown.load_newest_version(), grown.schema["carrier"].metadata["comment"]) == (1, CARRIER.comment)
    assert grown.schema["prediction"].dataType.simpleString() == "struct<a:double,b:int>"


def test_a_catalogs_table_grows_too(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA growing LOCATION '{tmp_path}/growing'")
    try:
        table = Table(spark, TableRef("growing.t_1", None))
        ensure_table(table, contract(), job="job")
        row = (1, AS_OF, AS_OF.date())
        append_rows(spark.createDataFrame([row], "id long, as_of timestamp, as_of_date date"), table)
        ensure_table(table.refresh(), contract(CARRIER), job="job")
        grown = spark.table("growing.t_1")
        assert (grown.columns[-1], grown.count()) == ("carrier", 1)
        assert Table(spark, table.ref).load_newest_version() == 2
    finally:
        spark.sql("DROP SCHEMA growing CASCADE")
