"""A small table in a warm session: the quickstart's job, whole, beside `spark_udf` and an overwrite, whole."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from bench.ways.quickstart_home import job_flags, more_flags
from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from bench.ways.spark import predict_flights
from sparkscore import RunReport, Settings, score

FIRST_DAY, FIRST_OLDER_DAY = date(2020, 1, 1), datetime(1990, 1, 1, tzinfo=UTC)
_OLDER_PER_COMMIT = 500


def start() -> Mapping[str, Way]:
    """One session for all turns, which each side warms for the other."""
    spark = session("bench small")
    days = _days()
    return {"score": lambda turn: whole_job(spark, turn, next(days)), "naive": lambda turn: naive(spark, turn)}


def whole_job(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """The job under a new as_of, by the Python interface, with gates, publication and monitoring."""
    older = turn["options"].get("older", 0)
    home = _prepare_home(older)
    flags = {**job_flags(turn, home), **more_flags(turn, home)}
    settings = Settings.load(turn["options"]["config"], flags=flags, environ={})
    if older and not Path(home, "older").exists():
        score(spark, settings, as_of="2019-12-31")
        _fabricate_older_runs(Path(home, "tables"), older)
        Path(home, "older").touch()
    calls, jobs, commits = Counter[str](), _next_job(spark), _count_commits(home)
    started = time.monotonic()
    with _count_calls(calls):
        report = score(spark, settings, as_of=as_of.isoformat())
    seconds = time.monotonic() - started
    _require_published(report)
    counts = {"calls": calls["m"], "jobs": _next_job(spark) - jobs, "commits": _count_commits(home) - commits}
    parts = {**report.seconds, **counts}
    return {"seconds": seconds, "rows": report.rows_scored, "output": {"kind": "none"}, "parts": parts}


def naive(spark: SparkSession, turn: Turn) -> Answer:
    """What people do today, from the model's name to the written table."""
    started = time.monotonic()
    predict_flights(spark, turn).write.format("delta").mode("overwrite").save(str(Path(turn["out"], "flights")))
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "none"}}


def _require_published(report: RunReport) -> None:
    if report.status != "published":
        raise RuntimeError(f"the job ended as {report.status}")


@cache
def _prepare_home(older: int) -> str:
    """A home for the process's life: a job's tables grow by its runs, as they do with users."""
    return mkdtemp(prefix=f"bench-small-{older}-")


def _days() -> Iterator[date]:
    day = FIRST_DAY
    while True:
        yield day
        day += timedelta(days=1)


# ------------------------------------------------------------------------------------------------- what a run asks for


@contextmanager
def _count_calls(calls: Counter[str]) -> Iterator[None]:
    """A block in which calls to the JVM are counted; `m` are those that are no memory management of py4j."""
    from py4j.clientserver import JavaClient

    send = JavaClient.send_command

    def count_and_send(client: Any, command: str, *rest: Any, **more: Any) -> Any:
        calls["gc" if command.startswith("m\nd") else "m"] += 1
        return send(client, command, *rest, **more)

    with patch.object(JavaClient, "send_command", count_and_send):
        yield


def _next_job(spark: SparkSession) -> int:
    return int(str(spark.sparkContext._jsc.sc().dagScheduler().nextJobId()))  # noqa: SLF001


def _count_commits(home: str) -> int:
    return sum(1 for log in Path(home).rglob("_delta_log") for _ in log.glob("*.json"))


# ---------------------------------------------------------------------------------------------------------- older runs


def _fabricate_older_runs(tables: Path, runs: int) -> None:
    """In a process of its own: what it takes of memory is not the job's."""
    process = get_context("spawn").Process(target=_add_older_runs, args=(tables, runs))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the older runs could not be made (exit {process.exitcode})")


def _add_older_runs(tables: Path, runs: int) -> None:
    """As if the job had run so many times before, a day each: its events, profiles without segments, and a row each."""
    for name in ("_runs", "_profile", "_drift", ""):
        folder = str(tables / f"flight_delay_predictions{name}")
        if DeltaTable.is_deltatable(folder):
            _add_older_rows(folder, runs)


def _add_older_rows(folder: str, runs: int) -> None:
    table = DeltaTable(folder)
    rows = table.to_pyarrow_table()
    if "slice_key" in rows.column_names:
        rows = rows.filter(pc.is_null(rows["slice_key"]))
    elif "prediction" in rows.column_names:
        rows = rows.slice(0, 1)
    for first in range(0, runs, _OLDER_PER_COMMIT):
        days = range(first, min(first + _OLDER_PER_COMMIT, runs))
        copies = pa.concat_tables([_date_back(rows, number) for number in days])
        write_deltalake(table, copies, mode="append", partition_by=table.metadata().partition_columns or None)
        table.update_incremental()


def _date_back(rows: pa.Table, number: int) -> pa.Table:
    moment = FIRST_OLDER_DAY + timedelta(days=number)
    values: Mapping[str, object] = {
        "as_of": moment,
        "as_of_date": moment.date(),
        "at": moment,
        "scored_at": moment,
        "window": {"start": moment, "end": moment},
        "run_id": hashlib.sha256(str(number).encode()).hexdigest(),
    }
    for name, value in values.items():
        if name in rows.column_names:
            place = rows.column_names.index(name)
            kind = rows.schema.field(place).type
            rows = rows.set_column(place, rows.schema.field(place), pa.array([value] * len(rows), kind))
    return rows


if __name__ == "__main__":
    serve(start)
