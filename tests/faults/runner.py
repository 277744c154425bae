"""A process of its own that does real runs, hurt where the order says.

`python -m tests.faults.runner <master> '<order in JSON>' …`, or with the orders as lines on stdin: a process that is
not killed serves several. One line of JSON for each on stdout, after a first one that tells who is who.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from pyspark.sql import SparkSession

from sparkscore import backfill, score
from sparkscore.errors import ErrorSummary, SparkscoreError
from sparkscore.ingest import file_ranges
from sparkscore.pipelines.evaluate import evaluate
from sparkscore.pipelines.maintain import maintain
from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.score_shadow import score_shadow
from sparkscore.pipelines.stream import stream
from sparkscore.records import (
    BackfillReport,
    EvaluationReport,
    MaintenanceReport,
    RunReport,
    ShadowReport,
    StreamReport,
)
from sparkscore.scoring import frame_writer, task_sizing
from sparkscore.settings import Settings
from tests.faults.points import Order, hurt, jvm_of
from tests.serverless import ServerlessSession
from tests.small_session import start_small_session

_SPLITS, _TASK_S = (file_ranges.MAX_SPLIT_BYTES, file_ranges.MIN_SPLIT_BYTES), task_sizing.TASK_S
_FRAME_TASK_S = frame_writer.LONGEST_TASK_S


def ran(spark: SparkSession, order: Order) -> Mapping[str, Any]:
    """The report of the order's run, or what it failed with."""
    file_ranges.MAX_SPLIT_BYTES, file_ranges.MIN_SPLIT_BYTES = (
        (order.split_bytes,) * 2 if order.split_bytes else _SPLITS
    )
    task_sizing.TASK_S = 1e-9 if order.split_bytes else _TASK_S
    frame_writer.LONGEST_TASK_S = 1e-9 if order.split_bytes else _FRAME_TASK_S
    session = ServerlessSession.beside(spark) if order.session else spark
    try:
        with hurt(spark, order):
            report = _did(session, order)
    except Exception as error:  # noqa: BLE001  whatever it is: the other side judges it
        code = error.exit_code if isinstance(error, SparkscoreError) else SparkscoreError.exit_code
        return {"status": "failed", "exit_code": code, "error": ErrorSummary.from_error(error).to_dict()}
    found: Mapping[str, Any] = json.loads(report.to_json())
    return found


Report = RunReport | MaintenanceReport | BackfillReport | EvaluationReport | StreamReport | ShadowReport


def _did(spark: SparkSession, order: Order) -> Report:
    settings = Settings(**order.settings)
    verbs: Mapping[str, Callable[[], Report]] = {
        "maintain": lambda: maintain(spark, settings),
        "evaluate": lambda: evaluate(spark, settings, **order.flags),
        "backfill": lambda: backfill(spark, settings, first=order.as_of, **order.flags),
        "stream": lambda: stream(spark, settings, **order.flags),
        "rollback": lambda: rollback(spark, settings, as_of=order.as_of)[0],
        "rejects": lambda: retry_rejects(spark, settings, **order.flags),
        "shadow": lambda: score_shadow(spark, settings, as_of=order.as_of, **order.flags),
        "score": lambda: score(spark, settings, as_of=order.as_of, **order.flags),
    }
    return verbs[order.verb]()


def main(master: str, orders: list[str], answers: TextIO) -> None:
    """Do the orders; those of stdin where none are given."""
    spark = start_small_session("faults", master=master)
    spark.range(1).collect()  # the first job of a session takes a second more than others: it is over when it is ready
    _tell(answers, {"python": os.getpid(), "jvm": jvm_of(spark)})
    for line in orders or sys.stdin:
        order = Order(**json.loads(line))
        _tell(answers, ran(spark, order))


def order_line(order: Order) -> str:
    """The order as a runner reads it."""
    return json.dumps(dataclasses.asdict(order), default=str)


def _tell(answers: TextIO, what: Mapping[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries and the JVM print: what they say is no answer
    main(sys.argv[1], sys.argv[2:], told)
