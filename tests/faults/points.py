"""Where a run can be hurt, and what is done to it there. Put in from outside: the product knows nothing of it."""

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.model.host.executor_process import Process, find_executor_process, find_process
from sparkscore.settings import Settings

_EVERY_S = 0.0005


@dataclass(frozen=True)
class Order:
    """What a runner does: one run, hurt at most once. Travels as JSON."""

    settings: Mapping[str, Any]
    as_of: str
    marker: str = ""
    """The file that says that the fault has happened; `<marker>.go` ends what lasts."""
    at: str = ""
    """One of `POINTS`; empty: nothing happens."""
    do: str = "kill"
    """One of `DEEDS`."""
    place: str = ""
    """A folder: the one to fill, or that with the model's traps."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    verb: str = "score"
    """Or `maintain`, `rollback`, `rejects`, `backfill`, `stream`, `evaluate`, `shadow`."""
    session: str = ""
    """`serverless`: one that refuses settings as Databricks' does."""
    split_bytes: int = 0
    """How large the scan's splits are, a task for each; 0: as the product makes them, one or two of a small table."""


def jvm_of(spark: SparkSession) -> int:
    """The process of the session's JVM, by the gateway that started it and by its own word."""
    gateway: Any = spark.sparkContext._gateway
    pid = int(gateway.jvm.java.lang.ProcessHandle.current().pid())
    assert gateway.proc is None or gateway.proc.pid == pid
    return pid


def executors_of(spark: SparkSession) -> set[Process]:
    """The processes of all executors."""
    slots = spark.sparkContext.defaultParallelism

    def own(_: object) -> list[Process]:
        return [find_executor_process(os.getpid())]

    tasks = spark.sparkContext.parallelize(range(slots), slots).barrier()  # all at once: each slot has one
    return set(tasks.mapPartitions(own).collect())


@contextmanager
def hurt(spark: SparkSession, order: Order) -> Iterator[None]:
    """The block in which the order's deed is done at its point, once; afterwards nothing is left of it."""
    if not order.at:
        yield
        return
    deed, once = DEEDS[order.do](spark, order), threading.Lock()

    def strike() -> None:
        if once.acquire(blocking=False):
            deed()

    with POINTS[order.at](order, strike):
        yield


def _killed(spark: SparkSession, order: Order) -> Callable[[], None]:
    jvm = find_process(jvm_of(spark))

    def kill() -> None:
        Path(order.marker).touch()
        jvm.kill()
        os.kill(os.getpid(), signal.SIGKILL)

    return kill


def _executors_killed(spark: SparkSession, order: Order) -> Callable[[], None]:
    executors = executors_of(spark)

    def kill() -> None:
        for executor in executors:
            executor.kill()
        Path(order.marker).touch()

    return kill


def _held(spark: SparkSession, order: Order) -> Callable[[], None]:
    """Python waits; whatever the JVM does goes on."""

    def hold() -> None:
        Path(order.marker).touch()
        eventually(lambda: Path(f"{order.marker}.go").exists())

    return hold


def _stopped(spark: SparkSession, order: Order) -> Callable[[], None]:
    """The JVM stands still in the middle of whatever it does."""
    jvm = jvm_of(spark)

    def stop() -> None:
        os.kill(jvm, signal.SIGSTOP)
        try:
            Path(order.marker).touch()
            eventually(lambda: Path(f"{order.marker}.go").exists())
        finally:
            os.kill(jvm, signal.SIGCONT)

    return stop


def _full(spark: SparkSession, order: Order) -> Callable[[], None]:
    def fill() -> None:
        fill_up(Path(order.place))
        Path(order.marker).touch()

    return fill


def fill_up(folder: Path) -> None:
    """No byte more fits on the file system of the folder."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


DEEDS: Mapping[str, Callable[[SparkSession, Order], Callable[[], None]]] = {
    "kill": _killed,
    "kill executors": _executors_killed,
    "hold": _held,
    "stop": _stopped,
    "fill": _full,
}

Strike = Callable[[], object]
Point = Callable[[Order, Strike], AbstractContextManager[None]]


def around(where: str, *, before: Strike | None = None, after: Strike | None = None) -> Iterator[None]:
    """`module:function` or `module:Class.method` with something before or after it, wherever it is known by a name."""
    module, _, path = where.partition(":")
    *outer, name = path.split(".")
    home: Any = functools.reduce(getattr, outer, import_module(module))
    original = getattr(home, name)

    @functools.wraps(original)
    def wrapped(*given: Any, **named: Any) -> Any:
        if before is not None:
            before()
        result = original(*given, **named)
        if after is not None:
            after()
        return result

    owners = [home] if outer else [one for key, one in sys.modules.items() if key.startswith("sparkscore")]
    places = [(one, key) for one in owners for key, value in list(vars(one).items()) if value is original]
    for one, key in places:
        setattr(one, key, wrapped)
    try:
        yield
    finally:
        for one, key in places:
            setattr(one, key, original)


def _before(where: str) -> Point:
    return contextmanager(lambda _, strike: around(where, before=strike))


def _after(where: str) -> Point:
    return contextmanager(lambda _, strike: around(where, after=strike))


def _when(where: str, seen: Callable[[Order], Callable[[], bool]]) -> Point:
    """A thread that watches from the moment when the function is called, and strikes when it sees what it waits for."""

    @contextmanager
    def point(order: Order, strike: Strike) -> Iterator[None]:
        over = threading.Event()

        def watch(condition: Callable[[], bool]) -> None:
            if eventually(lambda: over.is_set() or condition()) and not over.is_set():
                strike()

        def start() -> None:
            threading.Thread(target=watch, args=(seen(order),), daemon=True).start()

        yield from around(where, before=start)
        over.set()

    return point


@contextmanager
def _in_commit(order: Order, strike: Strike) -> Iterator[None]:
    """Once: a data file is there, and its commit is not. Spark's file is watched for, the driver's own is written."""
    inside, struck, one_at_a_time = threading.Event(), threading.Event(), threading.Lock()

    def strike_once() -> None:
        with one_at_a_time:  # the commit waits until the strike of whoever saw the file first has hit
            if not struck.is_set():
                struck.set()
                strike()

    def strike_inside() -> None:
        if inside.is_set():
            strike_once()

    publish = "sparkscore.publish.publish_run:publish_run"
    watched = _when(publish, _new_file)(order, strike_once)
    inner = contextmanager(around)(publish, before=inside.set, after=inside.clear)
    with watched, inner, contextmanager(around)("sparkscore.store.direct_commits:commit_actions", before=strike_inside):
        yield


def _new_file(order: Order) -> Callable[[], bool]:
    """A data file of the as_of's partition that was not there before."""
    folder = _table_folder(order) / f"as_of_date={order.as_of[:10]}"
    before = set(folder.glob("*.parquet"))
    return lambda: bool(set(folder.glob("*.parquet")) - before)


def _new_landing(order: Order) -> Callable[[], bool]:
    """A data file of what is landed is there: its commit comes later."""
    folder = Path(Settings(**order.settings).landing_uri)
    return lambda: any(folder.glob("*Z/*.parquet"))


def _new_log(order: Order) -> Callable[[], bool]:
    """The prediction table's log is there, as a folder: its first commit comes next."""
    return (_table_folder(order) / "_delta_log").exists


def _table_folder(order: Order) -> Path:
    settings = Settings(**order.settings)
    table = settings.output.table
    return Path(table if table.startswith("/") else f"{settings.home_uri}/tables/{table}")


def _trapped(order: Order) -> Callable[[], bool]:
    """The model is held in a batch."""
    return Path(order.place, "sprung").exists


def eventually(true: Callable[[], bool], *, within_s: float = 240, every_s: float = _EVERY_S) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(every_s)
    return True


POINTS: Mapping[str, Point] = {
    "landing": _when("sparkscore.store.landing_tables:write_landed_rows", _new_landing),
    "landed": _after("sparkscore.store.landing_tables:write_landed_rows"),
    "rows adopted": _after("sparkscore.store.landing_tables:adopt_landed_rows"),
    "changes found": _after("sparkscore.ingest.changed_rows:find_changed_rows"),
    "deleted keys landed": _after("sparkscore.store.landed_changes:_write_directly"),
    "changes landed": _after("sparkscore.store.landed_changes:ChangeLanding.write"),
    "batch pinned": _after("sparkscore.store.stream_checkpoint:StreamCheckpoint.pin_batch"),
    "batch landing": _when("sparkscore.pipelines.streaming.batch_landing:land_batch", _new_landing),
    "batch landed": _after("sparkscore.pipelines.streaming.batch_landing:land_batch"),
    "batch published": _after("sparkscore.pipelines.streaming.batch_publishing:BatchPublisher.publish"),
    "pinned": _after("sparkscore.pipelines.shared.pinning:pin_run"),
    "started": _after("sparkscore.pipelines.shared.run_attempt:Attempt.record_start"),
    "scoring": _when("sparkscore.pipelines.scoring.staging:score_missing_rows", _trapped),
    "before stage": _before("sparkscore.store.file_commit:commit_files"),
    "chunk staged": _after("sparkscore.store.file_commit:commit_files"),
    "inputs found": _after("sparkscore.pipelines.scoring.reused_scoring:_ReusedScoring._find_new_inputs"),
    "prediction kept": _after("sparkscore.store.reused_predictions:ReusedPredictions.append"),
    "staged": _after("sparkscore.pipelines.scoring.staging:score_missing_rows"),
    "before publish": _before("sparkscore.publish.publish_run:publish_run"),
    "creating": _when("sparkscore.store.table_contracts:ensure_table", _new_log),
    "repaired": _after("sparkscore.stage.reject_repair:replace_rejected_rows"),
    "in merge": _in_commit,
    "published": _after("sparkscore.publish.publish_run:publish_run"),
    "before monitoring": _before("sparkscore.pipelines.monitoring.run_monitoring:monitor_run"),
    "profiled": _after("sparkscore.store.monitoring_tables:keep_profiles"),
    "compared": _after("sparkscore.store.monitoring_tables:keep_drifts"),
    "logged": _after("sparkscore.monitor.mlflow_run:log_run"),
    "before challenger": _before("sparkscore.publish.challenger_commit:publish_challenger_rows"),
    "challenger published": _after("sparkscore.publish.challenger_commit:publish_challenger_rows"),
    "measured": _after("sparkscore.pipelines.evaluation.realised_quality:measure_realised_quality"),
    "replacing": _before("sparkscore.store.guarded_writes:replace_rows_in_table"),
    "evaluated": _after("sparkscore.store.performance_table:replace_performance"),
    "told": _after("sparkscore.pipelines.evaluation.performance_notices:tell_about_performance"),
    "expired": _after("sparkscore.store.retention:delete_expired_rows"),
}
"""By name, in the order of a run, then of an upkeep: how it gets hurt there."""
