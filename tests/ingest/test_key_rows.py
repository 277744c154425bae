"""The rows and rejects of one key are the same whether pyarrow reads them or Spark."""

import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.ingest import published_rows
from sparkscore.ingest.key_rejects import KeyReject, load_key_rejects
from sparkscore.ingest.key_rows import load_key_rows
from sparkscore.publish.publish_run import keep_rejects
from sparkscore.records import Run, TableRef
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.table import Table
from tests.published import PINS

KINDS = pa.schema(
    [
        ("text", pa.string()),
        ("number", pa.int64()),
        ("price", pa.decimal128(10, 2)),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("flag", pa.bool_()),
    ]
)
AT = datetime(2013, 12, 29, 23, 30, 0, 123456, tzinfo=UTC)
HOSTILE = 'O\'Hare "ü" \\ \n 名 ${x} `; --'
KEY: dict[str, Any] = {
    "text": HOSTILE,
    "number": -7,
    "price": "12.50",
    "day": "2013-12-29",
    "at": AT.isoformat(),
    "flag": False,
}
ROW: dict[str, Any] = {
    "text": HOSTILE,
    "number": -7,
    "price": Decimal("12.50"),
    "day": date(2013, 12, 29),
    "at": AT,
    "flag": False,
}
OTHERS: list[dict[str, Any]] = [
    {"text": "other"}, {"number": 7}, {"price": Decimal("12.51")}, {"day": date(2013, 12, 30)}, {"flag": True},
    {"at": datetime(2014, 1, 1, tzinfo=UTC)},
]  # fmt: skip


RUN = Run("job", datetime(2013, 12, 31, tzinfo=UTC), 1, 1, PINS, "flights", "m-1")
REASON = {"code": "predict_failed", "error": "ValueError", "message": "no number"}


@pytest.fixture(params=["pyarrow", "spark"])
def session(
    request: pytest.FixtureRequest, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> SparkSession | None:
    """Each of the two ways, with the other one closed."""

    def refuse(*_: object, **__: object) -> None:
        raise ScanUnsupported("a place that only Spark reaches")

    if request.param != "spark":
        return None
    monkeypatch.setattr(published_rows, "plan_file_scan", refuse)
    monkeypatch.setattr(DirectTable, "open_shared", refuse)
    return create_run_session(spark)


def rows_of(*rows: Mapping[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**ROW, **row} for row in rows], schema=KINDS)


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> TableRef:
    """Version 0: the key with 1, and keys that differ in one column. Version 1: the key with 2."""
    path = str(tmp_path_factory.mktemp("keys") / "t")
    first = rows_of({}, *OTHERS)
    write_deltalake(path, first.append_column("value", pa.array(range(1, 8), pa.int64())))
    write_deltalake(path, rows_of({}).append_column("value", pa.array([2], pa.int64())), mode="overwrite")
    return TableRef("t", path)


def test_the_rows_of_a_key_and_of_no_other(session: SparkSession | None, predictions: TableRef) -> None:
    found = load_key_rows(Table(session, predictions), KEY)
    assert found.to_pylist() == [ROW | {"value": 2}]


def test_an_older_version_is_read_as_it_was(session: SparkSession | None, predictions: TableRef) -> None:
    found = load_key_rows(Table(session, predictions), KEY, version=0, columns=["value"])
    assert found.to_pylist() == [{"value": 1}]


def test_a_key_that_is_not_there_has_no_rows(session: SparkSession | None, predictions: TableRef) -> None:
    assert load_key_rows(Table(session, predictions), KEY | {"number": 8}).num_rows == 0


def test_a_column_that_the_table_lacks_is_refused(predictions: TableRef) -> None:
    with pytest.raises(ConfigError, match="has no column no"):
        load_key_rows(Table(None, predictions), {"no": 1})


def test_a_version_whose_files_are_gone_is_an_error_that_says_so(predictions: TableRef, tmp_path: Path) -> None:
    shutil.copytree(predictions.path or "", tmp_path / "t")
    table = Table(None, TableRef("t", str(tmp_path / "t")))
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()
    with pytest.raises(ConfigError, match="is gone"):
        load_key_rows(table, KEY, version=0)


@pytest.fixture(scope="module")
def rejecting(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TableRef]:
    """Rejects as runs keep them: of the key, and of keys that differ in one column; of sensitive keys beside them."""
    found = {}
    frame = spark.createDataFrame(rows_of({}, *OTHERS, {"text": None}))
    reasons = ", ".join(f"'{value}' AS {name}" for name, value in REASON.items())
    for name, sensitive in (("plain", ()), ("hidden", tuple(KINDS.names))):
        target = TableRef(name, str(tmp_path_factory.mktemp("rejects") / name))
        session = create_run_session(spark)
        stage = session.createDataFrame(frame.toArrow()).selectExpr("*", f"struct({reasons}) AS {REJECT_COLUMN}")
        keep_rejects(stage, RUN, Table(session, target), keys=KINDS.names, sensitive=sensitive)
        found[name] = target
    return found


@pytest.mark.parametrize("name", ["plain", "hidden"])
def test_a_reject_is_found_by_its_key_alone(
    session: SparkSession | None, rejecting: Mapping[str, TableRef], name: str
) -> None:
    table = Table(session, rejecting[name]).sibling("_rejects")
    sensitive = KINDS.names if name == "hidden" else ()
    found = load_key_rejects(table, KEY, KINDS, job="job", sensitive=sensitive)
    assert found == {RUN.run_id: KeyReject(**REASON)}
    for other in ({"text": HOSTILE + " "}, {"number": 8}, {"price": "12.52"}, {"day": "2013-12-28"}):
        assert load_key_rejects(table, KEY | other, KINDS, job="job", sensitive=sensitive) == {}


def test_without_a_table_there_are_no_rejects(tmp_path: Path) -> None:
    assert load_key_rejects(Table(None, TableRef("t", str(tmp_path / "t"))), KEY, KINDS, job="job") == {}
