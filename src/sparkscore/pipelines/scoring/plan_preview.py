"""Shows what a run would do: the plan, and a sample of predictions."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.pipelines.scoring.engine_choice import require_engine_fits
from sparkscore.pipelines.scoring.gate_order import GateOrder
from sparkscore.pipelines.scoring.one_pass import plan_gate_order
from sparkscore.pipelines.scoring.planned_work import plan_work
from sparkscore.pipelines.scoring.run_estimates import planned_work_lines
from sparkscore.pipelines.scoring.source_texts import feature_lines, filter_text, increment_lines, unlanded_source_text
from sparkscore.pipelines.scoring.transport_choice import choose_transport, output_frame, scored_frame
from sparkscore.pipelines.shared.challenger_pinning import pin_challengers
from sparkscore.pipelines.shared.executor_checks import check_executors
from sparkscore.pipelines.shared.export_targets import check_exports, describe_exports
from sparkscore.pipelines.shared.group_pinning import SourceWithoutGroupsError, describe_groups
from sparkscore.pipelines.shared.joined_source import load_unlanded_rows
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import describe_challengers
from sparkscore.pipelines.shared.run_history import decide_run, report_published_run
from sparkscore.pipelines.shared.run_suites import check_suites
from sparkscore.pipelines.shared.source_landing import NOT_LANDED
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
    full: bool = False,
) -> tuple[RunReport, list[tuple[str, str]]]:
    """What `score` would do now: a report with status `dry_run`, and lines (what, how) to print. Writes nothing.

    Needs:   a session, unless the as_of is published already: without one (None) the rest raises SparkNeeded.
    Jobs:    none that reads data beyond logs and one count in the prediction table; one task that tells the packages of
             a cluster's executors.
    Raises:  whatever `score` would raise before it reads the source.
    """
    attempt = Attempt.open(spark, settings, as_of)
    attempt.require_full(full)
    with attempt.record_failures(records=False), tempfile.TemporaryDirectory(prefix="sparkscore-plan-") as copies:
        decision = decide_run(attempt, replace=replace, force=force, restart=restart, records=False)
        if decision.kind == "already_published":
            report_published_run(attempt, decision)
            return attempt.finish("dry_run"), [("would do", "nothing: this as_of is already published")]
        attempt.require_session()
        try:
            planned = pin_run(attempt, decision, copies=copies, landing="never")
        except SourceWithoutGroupsError:
            return attempt.finish("dry_run"), [("would do", "nothing: the source has no rows after the filter")]
        check_suites(attempt, planned)
        check_executors(attempt, planned)
        if planned.snapshot.table_id == NOT_LANDED:
            return _finish_unlanded_preview(attempt, decision, planned)
        check_exports(attempt, planned.contract.schema)
        way = choose_transport(attempt, planned)
        require_engine_fits(attempt, planned, way.scan, way.reason)
        attempt.report_transport(way.transport, way.reason)
        order = plan_gate_order(attempt, planned, way, None if way.scan is None else way.scan.rows)
        beside = describe_challengers(pin_challengers(attempt, planned, copies=copies))
        lines = _plan_lines(attempt, decision, planned, _count_suite_rules(attempt), order)
        work = plan_work(attempt, planned, way)
        attempt.report = dataclasses.replace(attempt.report, plan=work)
        return attempt.finish("dry_run"), [*lines, *planned_work_lines(work, way.transport), *beside]


def _finish_unlanded_preview(
    attempt: Attempt, decision: Decision, planned: Plan
) -> tuple[RunReport, list[tuple[str, str]]]:
    """The plan of a run whose source is to be landed first: what depends on its files is not known yet."""
    told = dict.fromkeys(("transport", "chunks"), _LATER)
    if attempt.settings.source.is_landed:
        source = ReportedSource(attempt.source.name, format=attempt.settings.source.format)
        attempt.report = dataclasses.replace(attempt.report, run_id=None, source=source)
        told |= {"run": _LATER, "source": unlanded_source_text(attempt)}
    lines = _plan_lines(attempt, decision, planned, _count_suite_rules(attempt), None)
    return attempt.finish("dry_run"), [(what, told.get(what, how)) for what, how in lines]


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
        try:
            planned = pin_run(attempt, Decision("work", 1, 1), copies=copies, landing="never", knows_past=False)
        except SourceWithoutGroupsError:
            return attempt.finish("dry_run"), []
        check_executors(attempt, planned)
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
            model_counts=counters.model_counts,
        )
        return attempt.finish("dry_run"), predicted


def _sample_source(attempt: Attempt, planned: Plan, rows: int) -> DataFrame:
    snapshot = planned.snapshot
    if snapshot.table_id != NOT_LANDED:
        return ingest.sample_snapshot(attempt.spark, snapshot, rows)
    cut = partial(ingest.sample_frame, rows=rows, name=snapshot.table.name)
    return load_unlanded_rows(attempt, snapshot, cut).selectExpr(*map(quote_identifier, snapshot.columns))


def _mask_sensitive_columns(frame: DataFrame, sensitive: Sequence[str]) -> DataFrame:
    """The frame without the values of the sensitive columns, before anything of it reaches the driver."""
    return frame.select(
        *(F.lit("***").alias(name) if name in sensitive else F.col(quote_identifier(name)) for name in frame.columns)
    )


def _plan_lines(
    attempt: Attempt, decision: Decision, planned: Plan, suites: dict[str, int], order: GateOrder | None
) -> list[tuple[str, str]]:
    settings, model, snapshot = attempt.settings, planned.model, planned.snapshot
    version = snapshot.version if snapshot.origin is None else snapshot.origin.source.version
    where = "" if attempt.settings.source.is_landed else filter_text(attempt)
    gates = ", ".join(f"{name} ({count} rules)" for name, count in suites.items()) or "only the built-in ones"
    resumed = " (pins of an unfinished attempt)" if decision.keep is not None else ""
    return [
        ("would do", f"publish revision {decision.revision}, attempt {decision.attempt}{resumed}"),
        ("run", planned.run.run_id),
        ("source", f"{snapshot.table.name} at version {version}{where}"),
        *increment_lines(attempt),
        *feature_lines(attempt),
        ("model", f"{model.name} version {model.version}, {model.runtime} runtime, digest {model.digest[:12]}"),
        *describe_groups(planned.groups),
        ("inputs", ", ".join(dict.fromkeys(planned.read_columns))),
        *_derived_input_lines(planned, settings),
        *_unused_column_lines(planned),
        ("transport", f"{attempt.report.transport}: {attempt.report.transport_reason}"),
        ("chunks", _chunk_plan_text(attempt, planned)),
        ("gates", gates),
        *_gate_order_lines(order),
        ("output", f"{attempt.target.path or attempt.target.name}: {', '.join(planned.contract.names)}"),
        *_renamed_column_lines(settings),
        *_growth_lines(planned.growth),
        ("stage", settings.stage_uri),
        *(("export", words) for words in describe_exports(settings.output)),
    ]


def _derived_input_lines(planned: Plan, settings: Settings) -> list[tuple[str, str]]:
    """Inputs that are computed, and of which type."""
    kinds = {name: planned.derived.expressions.get(column) for name, column in planned.derived.columns.items()}
    sources = settings.model_dump()["model"]["inputs"]
    computed = [f"{name} ({one.kind}) = {json.dumps(sources[name])}" for name, one in kinds.items() if one is not None]
    return [("computed", "; ".join(computed))] if computed else []


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


def _chunk_plan_text(attempt: Attempt, planned: Plan) -> str:
    if attempt.report.transport == "pandas_udf":
        return "one: this transport writes the stage in one commit, and an unfinished attempt leaves nothing"
    if planned.groups is not None:
        return "one: rows are shuffled to the models of their groups, and an unfinished attempt leaves nothing"
    if attempt.stage_store(planned.run).location is None:
        return "one: only Spark can write the stage, and an unfinished attempt leaves nothing"
    return f"kept every {attempt.settings.scoring.chunk_minutes:g} minutes"
