"""Rejects are counted alike by pyarrow and by Spark."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore.records import RejectCount, TableRef
from sparkscore.schemas import REJECTS_CONTRACT
from sparkscore.store import reject_counts
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.small_tables import append_small_rows, ensure_small_table
from sparkscore.store.table import Table

FIRST = datetime(2013, 12, 29, 23, 30, tzinfo=UTC)


def reject(day: int, code: str, error: str | None, run: str, minute: int = 0) -> dict[str, Any]:
    at = FIRST + timedelta(days=day)
    scored = FIRST + timedelta(days=9, minutes=minute)
    own = {"key": "{}", "code": code, "error": error, "run_id": run}
    return own | {"as_of": at, "as_of_date": at.date(), "scored_at": scored}


COUNTS = [
    RejectCount(FIRST, "b", "null_key", None, 1),
    RejectCount(FIRST, "a", "predict_failed", "ValueError", 1),
    RejectCount(FIRST, "a", "predict_failed", "KeyError", 2),
    RejectCount(FIRST + timedelta(days=1), "c", "null_key", None, 1),
]


@pytest.fixture(params=["pyarrow", "spark"])
def table(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Table:
    """Rejects of three runs, to be counted by one of the two ways, with the other one closed."""

    def unused(*_: Any, **__: Any) -> Any:
        raise AssertionError("Spark was asked")

    made = Table(spark, TableRef("r", str(tmp_path / "r")))
    ensure_small_table(made, REJECTS_CONTRACT, job="job")
    append_small_rows(made, REJECTS_CONTRACT, [reject(0, "null_key", None, "b")])
    late = [("ValueError", 2), ("KeyError", 3), ("KeyError", 4)]
    append_small_rows(made, REJECTS_CONTRACT, [reject(0, "predict_failed", *one[:1], "a", one[1]) for one in late])
    append_small_rows(made, REJECTS_CONTRACT, [reject(1, "null_key", None, "c")])
    if request.param == "spark":
        monkeypatch.setattr(reject_counts, "_MOST_DIRECT_ROWS", 4)
    else:
        monkeypatch.setattr(Table, "load_rows", unused)
    return made


def test_rejects_are_counted_by_run_and_reason_the_oldest_first(table: Table) -> None:
    assert count_rejects(table, job="job") == COUNTS


def test_those_of_one_run_are_counted_alone(table: Table) -> None:
    for as_of in (None, FIRST):
        assert count_rejects(table, job="job", run_id="b", as_of=as_of) == COUNTS[:1]
