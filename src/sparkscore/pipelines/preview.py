"""What a run would do, without doing it: the plan, and a sample of predictions."""

import tempfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import check_suites, finished, scored_frame, way_of
from sparkscore.pipelines.past import already_published, decided
from sparkscore.pipelines.pinning import Plan, pinned
from sparkscore.records import RunReport
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.store.names import quoted
from sparkscore.store.runs import PLAIN, Decision, Wishes


def plan(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime, wishes: Wishes = PLAIN
) -> tuple[RunReport, list[tuple[str, str]]]:
    """What `score` would do now: a report with status `dry_run`, and lines (what, how) for people. Writes nothing.

    Jobs:    none that reads data beyond logs and one count in the prediction table.
    Raises:  whatever `score` would raise before it reads the source.
    """
    attempt = Attempt.of(spark, settings, as_of)
    with attempt.guarded(records=False), tempfile.TemporaryDirectory(prefix="sparkscore-plan-") as copies:
        decision = decided(attempt, wishes, records=False)
        if decision.kind == "already_published":
            report = already_published(attempt, decision)
            return attempt.ended("dry_run", newer=report.newer), [("would do", "nothing: this as_of is published")]
        planned = pinned(attempt, decision, copies=copies)
        check_suites(attempt, planned)
        way = way_of(attempt, planned)
        attempt.know(transport=way.transport, transport_reason=way.reason)
        return attempt.ended("dry_run"), _lines(
            attempt, decision, planned, {name: len(suite.expectations) for name, suite in attempt.suites.items()}
        )


def sample(spark: SparkSession, settings: Settings, *, as_of: str | datetime, rows: int) -> tuple[RunReport, list[Row]]:
    """Predictions for the first rows of the source, shown and not written; the source is cut before the model sees it.

    Values of sensitive columns are `***`.

    Jobs:    one small Spark job that reads, one that scores.
    Raises:  whatever `score` would raise, gates apart.
    """
    attempt = Attempt.of(spark, settings, as_of)
    with attempt.guarded(records=False), tempfile.TemporaryDirectory(prefix="sparkscore-sample-") as copies:
        planned = pinned(attempt, Decision("work", 1, 1), copies=copies)
        counters = Counters(attempt.spark)
        asked = settings.scoring.transport
        transport = "arrow" if asked in ("auto", "scan") else asked
        attempt.know(transport=transport, transport_reason="a sample passes through the driver")
        source = ingest.sample(attempt.spark, planned.snapshot, rows)
        frame = scored_frame(attempt, planned, source, counters, transport)
        predicted = _masked(finished(attempt, planned, frame), settings.source.sensitive).collect()
        rejected = sum(row["_reject"] is not None for row in predicted)
        facts: dict[str, Any] = {
            "rows_read": len(predicted),
            "rows_scored": len(predicted) - rejected,
            "rows_rejected": rejected,
        }
        return attempt.ended("dry_run", **facts, model_loads=counters.loads), predicted


def _masked(frame: DataFrame, sensitive: Sequence[str]) -> DataFrame:
    """The frame without the values of the sensitive columns, before anything of it reaches the driver."""
    return frame.select(
        *(F.lit("***").alias(name) if name in sensitive else F.col(quoted(name)) for name in frame.columns)
    )


def _lines(attempt: Attempt, decision: Decision, planned: Plan, suites: dict[str, int]) -> list[tuple[str, str]]:
    settings, model, snapshot = attempt.settings, planned.model, planned.snapshot
    conditions = ", ".join(one.words for one in snapshot.where)
    gates = ", ".join(f"{name} ({count} rules)" for name, count in suites.items()) or "only the built-in ones"
    resumed = " (pins of an attempt that did not end)" if decision.keep is not None else ""
    return [
        ("would do", f"publish revision {decision.revision}, attempt {decision.attempt}{resumed}"),
        ("run", planned.run.run_id),
        (
            "source",
            f"{snapshot.table.name} at version {snapshot.version}" + (f", where {conditions}" if conditions else ""),
        ),
        ("model", f"{model.name} version {model.version}, {model.runtime} runtime, digest {model.digest[:12]}"),
        ("inputs", ", ".join(planned.model_columns)),
        ("transport", f"{attempt.report.transport}: {attempt.report.transport_reason}"),
        ("chunks", _chunks(attempt)),
        ("gates", gates),
        ("output", f"{attempt.target.path or attempt.target.name}: {', '.join(planned.contract.names)}"),
        ("stage", settings.stage_uri),
    ]


def _chunks(attempt: Attempt) -> str:
    if attempt.report.transport == "scan":
        return f"kept every {attempt.settings.scoring.chunk_minutes:g} minutes"
    return "one: only the scan has a file plan, so an attempt that does not end has nothing to go on from"
