"""Shows what a run would do: the plan, and a sample of predictions."""

import dataclasses
import tempfile
from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.pipelines.scoring.gate_order import GateOrder
from sparkscore.pipelines.scoring.one_pass import plan_gate_order
from sparkscore.pipelines.scoring.transport_choice import choose_transport, output_frame, scored_frame
from sparkscore.pipelines.shared.export_targets import check_exports, describe_exports
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import decide_run, report_published_run
from sparkscore.pipelines.shared.run_suites import check_suites
from sparkscore.pipelines.shared.source_landing import read_unlanded_rows, source_conditions
from sparkscore.pipelines.shared.source_pinning import NOT_LANDED
from sparkscore.records import ReportedSource, RunReport
from sparkscore.schemas import REJECT_COLUMN, SCHEMA_VERSION
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.store.table_growth import TableGrowth

_MAX_SHOWN_COLUMNS = 30
_LATER = "known when the source is landed"


def preview_plan(
    spark: SparkSession | None,
    settings: Settings,
    *,
    as_of: str | datetime,
    replace: bool = False,
    force: bool = False,
    restart: bool = False,
) -> tuple[RunReport, list[tuple[str, str]]]:
    """What `score` would do now: a report with status `dry_run`, and lines (what, how) to print. Writes nothing.

    Needs:   a session, unless the as_of is published already: without one (None) the rest raises SparkNeeded.
    Jobs:    none that reads data beyond logs and one count in the prediction table.
    Raises:  whatever `score` would raise before it reads the source.
    """
    attempt = Attempt.open(spark, settings, as_of)
    with attempt.record_failures(records=False), tempfile.TemporaryDirectory(prefix="sparkscore-plan-") as copies:
        decision = decide_run(attempt, replace=replace, force=force, restart=restart, records=False)
        if decision.kind == "already_published":
            report_published_run(attempt, decision)
            return attempt.finish("dry_run"), [("would do", "nothing: this as_of is already published")]
        attempt.require_session()
        planned = pin_run(attempt, decision, copies=copies, landing="never")
        check_suites(attempt, planned)
        if planned.snapshot.table_id == NOT_LANDED:
            return _finish_unlanded_preview(attempt, decision, planned)
        check_exports(attempt, planned.contract.schema)
        way = choose_transport(attempt, planned)
        attempt.report_transport(way.transport, way.reason)
        order = plan_gate_order(attempt, planned, way, None if way.scan is None else way.scan.rows)
        return attempt.finish("dry_run"), _plan_lines(attempt, decision, planned, _count_suite_rules(attempt), order)


def _finish_unlanded_preview(
    attempt: Attempt, decision: Decision, planned: Plan
) -> tuple[RunReport, list[tuple[str, str]]]:
    """The plan of a run whose source is to be landed first: what depends on its files is not known yet."""
    source = ReportedSource(attempt.source.name, format=attempt.settings.source.format)
    attempt.report = dataclasses.replace(attempt.report, run_id=None, source=source)
    told = {**dict.fromkeys(("run", "transport", "chunks"), _LATER), "source": _unlanded_source_text(attempt)}
    lines = _plan_lines(attempt, decision, planned, _count_suite_rules(attempt), None)
    return attempt.finish("dry_run"), [(what, told.get(what, how)) for what, how in lines]


def _unlanded_source_text(attempt: Attempt) -> str:
    source = attempt.settings.source
    conditions = ", ".join(one.description for one in source_conditions(attempt.settings))
    where = f", where {conditions}" if conditions else ""
    return f"{source.table}, of the format {source.format}{where}; it would be landed in {attempt.source.path}"


def _count_suite_rules(attempt: Attempt) -> dict[str, int]:
    return {name: len(suite.expectations) for name, suite in attempt.suites.items()}


def sample_predictions(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime, rows: int
) -> tuple[RunReport, list[Row]]:
    """Predictions for the first rows of the source, shown and not written; the source is cut before the model sees it.

    Values of sensitive columns are `***`.

    Jobs:    one small Spark job that reads, one that scores.
    Raises:  whatever `score` would raise, gates apart.
    """
    attempt = Attempt.open(spark, settings, as_of)
    with attempt.record_failures(records=False), tempfile.TemporaryDirectory(prefix="sparkscore-sample-") as copies:
        planned = pin_run(attempt, Decision("work", 1, 1), copies=copies, landing="never")
        counters = Counters(attempt.spark)
        asked = settings.scoring.transport
        transport = "arrow" if asked in ("auto", "scan") else asked
        attempt.report_transport(transport, "a sample passes through the driver's memory")
        source = _sample_source(attempt, planned, rows)
        frame = scored_frame(attempt, planned, source, counters, transport)
        predicted = _mask_sensitive_columns(output_frame(attempt, planned, frame), settings.output_sensitive).collect()
        rejected = sum(row[REJECT_COLUMN] is not None for row in predicted)
        attempt.report = dataclasses.replace(
            attempt.report,
            rows_read=len(predicted),
            rows_scored=len(predicted) - rejected,
            rows_rejected=rejected,
            model_loads=counters.loads,
        )
        return attempt.finish("dry_run"), predicted


def _sample_source(attempt: Attempt, planned: Plan, rows: int) -> DataFrame:
    snapshot = planned.snapshot
    if snapshot.table_id != NOT_LANDED:
        return ingest.sample_snapshot(attempt.spark, snapshot, rows)
    frame = read_unlanded_rows(attempt).selectExpr(*map(quote_identifier, snapshot.columns))
    return ingest.sample_frame(frame, rows, name=snapshot.table.name)


def _mask_sensitive_columns(frame: DataFrame, sensitive: Sequence[str]) -> DataFrame:
    """The frame without the values of the sensitive columns, before anything of it reaches the driver."""
    return frame.select(
        *(F.lit("***").alias(name) if name in sensitive else F.col(quote_identifier(name)) for name in frame.columns)
    )


def _plan_lines(
    attempt: Attempt, decision: Decision, planned: Plan, suites: dict[str, int], order: GateOrder | None
) -> list[tuple[str, str]]:
    settings, model, snapshot = attempt.settings, planned.model, planned.snapshot
    conditions = ", ".join(one.description for one in snapshot.where)
    gates = ", ".join(f"{name} ({count} rules)" for name, count in suites.items()) or "only the built-in ones"
    resumed = " (pins of an unfinished attempt)" if decision.keep is not None else ""
    return [
        ("would do", f"publish revision {decision.revision}, attempt {decision.attempt}{resumed}"),
        ("run", planned.run.run_id),
        (
            "source",
            f"{snapshot.table.name} at version {snapshot.version}" + (f", where {conditions}" if conditions else ""),
        ),
        ("model", f"{model.name} version {model.version}, {model.runtime} runtime, digest {model.digest[:12]}"),
        ("inputs", ", ".join(planned.read_columns)),
        *_unused_column_lines(planned),
        ("transport", f"{attempt.report.transport}: {attempt.report.transport_reason}"),
        ("chunks", _chunk_plan_text(attempt)),
        ("gates", gates),
        *_gate_order_lines(order),
        ("output", f"{attempt.target.path or attempt.target.name}: {', '.join(planned.contract.names)}"),
        *_renamed_column_lines(settings),
        *_growth_lines(planned.growth),
        ("stage", settings.stage_uri),
        *(("export", words) for words in describe_exports(settings.output.exports)),
    ]


def _unused_column_lines(planned: Plan) -> list[tuple[str, str]]:
    """Columns of the source that the run does not read."""
    snapshot = planned.snapshot
    read = {*snapshot.columns, *(condition.column for condition in snapshot.where)}
    unused = [name for name in snapshot.schema.names if name not in read]
    more = f" and {len(unused) - _MAX_SHOWN_COLUMNS} more" if len(unused) > _MAX_SHOWN_COLUMNS else ""
    return [("not read", ", ".join(unused[:_MAX_SHOWN_COLUMNS]) + more)] if unused else []


def _gate_order_lines(order: GateOrder | None) -> list[tuple[str, str]]:
    """When the input gate judges, and why."""
    if order is None:
        return []
    when = "before the model runs" if order.is_first else "by what the tasks measure while they score"
    return [("input gate", f"{when}: {order.reason}")]


def _renamed_column_lines(settings: Settings) -> list[tuple[str, str]]:
    """Columns that the prediction table names otherwise than the source."""
    renamed = [f"{column} as {name}" for column, name in settings.output_names.items() if column != name]
    return [("renamed", ", ".join(renamed))] if renamed else []


def _growth_lines(growth: TableGrowth | None) -> list[tuple[str, str]]:
    """What becomes of the columns of a prediction table that is there."""
    if growth is None:
        return []
    lines = [("adds columns", ", ".join(growth.added)), ("leaves NULL", ", ".join(growth.unwritten))]
    older = growth.version < SCHEMA_VERSION
    lines.append(("migrates", f"from schema {growth.version} to {SCHEMA_VERSION}" if older else ""))
    return [(what, how) for what, how in lines if how]


def _chunk_plan_text(attempt: Attempt) -> str:
    if attempt.report.transport == "scan":
        return f"kept every {attempt.settings.scoring.chunk_minutes:g} minutes"
    return "one: only the scan has a file plan, so nothing of an unfinished attempt can be reused"
