"""Steps that several verbs share: the choice of the transport, the columns of the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import ScanUnsupported
from sparkscore.expressions.spark_evaluator import derive_spark_columns
from sparkscore.gate.reject_reasons import REASON_COLUMN, spark_reject_reasons
from sparkscore.gate.row_rules import (
    NULL_KEY,
    compile_arrow_reject,
    has_null_key,
    rule_codes_without_arrow_form,
    spark_reject_column,
)
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.file_ranges import MIN_SPLIT_BYTES, OPEN_COST_BYTES
from sparkscore.model.distribution.model_shipping import (
    configure_shipped_model,
    name_model_archive,
    ship_model,
)
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF
from sparkscore.model.trust.mlmodel_file import read_mlmodel, read_wanted_rows
from sparkscore.pipelines.scoring.grouped_scoring import score_grouped_frame
from sparkscore.pipelines.shared.endpoint_pinning import build_endpoint_environment
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.readable_files import locate_readable_files
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.postprocessing import postprocess_predictions, stage_schema
from sparkscore.records import FileScan, field_path, prediction_part_paths
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.scoring import arrow_transport, pandas_udf_transport
from sparkscore.scoring.arrow_challengers import ArrowChallengers
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.integer_settings import check_nullable_integers
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.settings.llm_settings import ENDPOINT_SCHEME
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.settable_conf import is_any_refused
from sparkscore.spark.task_profiles import plan_task_profile

_CARRIED_COLUMN = "_sparkscore_carried_"
"""Before the number of a source column that has another name in the stage."""


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """How rows reach the model."""

    transport: str
    reason: str
    scan: FileScan | None = None


def choose_transport(
    attempt: Attempt, plan: Plan, *, target: int | None = None, further_columns: Sequence[str] = ()
) -> TransportChoice:
    """The fastest transport that is certain to give Spark's rows, or the one that the config names.

    `target`: bytes of a split in the file plan of earlier chunks. `further_columns`: what the scan reads beside what is
    scored.

    Jobs:    none; the scan's listing of files.
    Raises:  ConfigError for what the transport needs of the session, and the session refuses.
    """
    choice = _find_transport(attempt, plan, target=target, further_columns=further_columns)
    if choice.scan is None:
        _check_session_integers(attempt, plan, choice.transport)
    return choice


def _find_transport(
    attempt: Attempt, plan: Plan, *, target: int | None, further_columns: Sequence[str]
) -> TransportChoice:
    scoring = attempt.settings.scoring
    if plan.groups is not None:
        return TransportChoice("arrow", "rows are brought together by the model of their group, by Spark's shuffle")
    if attempt.settings.model.reuse:
        return TransportChoice("arrow", "model.reuse: Spark joins the rows with the predictions of equal inputs")
    if scoring.transport in ("arrow", "pandas_udf"):
        return TransportChoice(scoring.transport, "as configured")
    inexact = rule_codes_without_arrow_form(plan.rules, plan.row_schema)
    if inexact:
        return TransportChoice("arrow", f"no scan: only Spark computes {inexact[0]}, which rejects rows, exactly")
    limits = scoring.batch_limits
    try:
        columns = tuple(dict.fromkeys((*plan.snapshot.columns, *further_columns)))
        snapshot = replace(plan.snapshot, columns=columns)
        scan = plan_file_scan(
            attempt.spark,
            snapshot,
            batch_rows=limits.rows or read_wanted_rows(plan.model.described or {}),  # tasks stop between two batches
            batch_bytes=limits.bytes,
            target=target,
            least=OPEN_COST_BYTES if _is_costly(plan) else MIN_SPLIT_BYTES,
            source=attempt.open_table(snapshot.table),
        )
    except ScanUnsupported as unsure:
        return TransportChoice("arrow", f"no scan: {unsure.found}")
    found = f"{scan.files:,} files, {scan.bytes / 1e6:,.0f} MB in {len(scan.splits):,} splits"
    return TransportChoice(
        "scan", found + (f", {scan.pruned:,} files left out by the filter" if scan.pruned else ""), scan
    )


def _is_costly(plan: Plan) -> bool:
    """Whether the model has said how many rows it wants: it takes milliseconds for a row, and a few files of one
    megabyte are then work for all cores, not for one task."""
    return read_wanted_rows(plan.model.described or read_mlmodel(plan.model.path, plan.model.trust)) is not None


def _check_session_integers(attempt: Attempt, plan: Plan, transport: str) -> None:
    """Refuse what only a setting of the session gives, where it lets nobody set it."""
    if transport == "pandas_udf" and is_any_refused(attempt.spark, (NULLABLE_INTEGERS_CONF,)):
        check_nullable_integers(attempt.spark, plan.model.inputs, "use scoring.transport: arrow")


def prepare_stage_rows(
    attempt: Attempt, plan: Plan, counters: Counters, *, by_spark: bool = False, by_engine: bool = False
) -> StageRowScorer:
    """What tasks do with source rows, for the transports in Arrow. `by_spark`: Spark has judged each row already.
    `by_engine`: another engine brings the model's files."""
    model, own_s = attempt.settings.model, attempt.process_timeout
    asks_endpoint = model.uri.startswith(ENDPOINT_SCHEME)  # each prediction is paid, and none is made twice
    configured = configure_shipped_model(
        plan.model,
        params=model.params,
        residency=model.residency if own_s is None else "process",
        batch_timeout=attempt.settings.scoring.batch_timeout if own_s is None else own_s,
        repeat_rows=0 if own_s is not None or asks_endpoint else attempt.settings.scoring.repeat_rows,
        sensitive=bool(attempt.settings.source.sensitive),
    )
    if by_engine:
        shipped = replace(configured, archive=name_model_archive(plan.model.executed or plan.model))
    else:  # the models of groups are sent together
        shipped = ship_model(attempt.spark, plan.model, configured) if plan.groups is None else configured
    batches = attempt.batches or attempt.settings.scoring.batch_limits
    nullable = _executed_nullable_parts(plan) if attempt.settings.scoring.reject_null_predictions else None
    return StageRowScorer(
        replace(
            shipped,
            secret=attempt.secret,
            nullable=nullable,
            accelerator=model.accelerator_options,
            batches=batches,
            files=locate_readable_files(attempt, plan.model),
            environment=build_endpoint_environment(attempt.spark, attempt.settings, plan.run) if asks_endpoint else (),
        ),
        plan.model_columns,
        spark_reject_reasons if by_spark else compile_arrow_reject(plan.rules, plan.row_schema),
        stage_schema(plan.contract, output=plan.model.output, names_models=plan.groups is not None),
        counters,
        list_renamed_columns(attempt),
        beside=attempt.settings.reason_names if plan.model.executed is not None else (),
    )


def _executed_nullable_parts(plan: Plan) -> frozenset[str]:
    """The paths of the parts that may be NULL, of what is executed: of what it returns beside a prediction, all."""
    executed = plan.model.executed
    if executed is None:
        return plan.nullable
    inner = field_path(PREDICTION_COLUMN, PREDICTION_COLUMN)
    own = [one for one in prediction_part_paths(executed.output) if not f"{one}.".startswith(f"{inner}.")]
    return frozenset({inner + one.removeprefix(PREDICTION_COLUMN) for one in plan.nullable} | {*own[1:]})


def list_renamed_columns(attempt: Attempt) -> dict[str, str]:
    """Column of the stage -> column of the source, where their names differ."""
    return {name: column for column, name in attempt.settings.output_names.items() if name != column}


def judge_frame_rows(plan: Plan, source: DataFrame) -> tuple[DataFrame, bool]:
    """Rows of the source with the columns that are computed; and whether they hold `REASON_COLUMN`, why a row must not
    be scored: else a NULL key is the only reason, and is left to whoever scores.

    Jobs:    none.
    """
    source = derive_spark_columns(source, plan.derived.expressions)
    by_spark = any(rule.kind != NULL_KEY for rule in plan.rules.rules)
    if by_spark:  # judged before a column of the source may give its name to one of the stage
        source = source.withColumn(REASON_COLUMN, spark_reject_column(plan.rules, plan.row_schema))
    return source, by_spark


def scored_frame(
    attempt: Attempt,
    plan: Plan,
    source: DataFrame,
    counters: Counters,
    transport: str,
    beside: ArrowChallengers | None = None,
) -> DataFrame:
    """The stage's rows for rows of the source as Spark reads them; the model runs when the frame is computed.

    `beside`: what else gets the rows; only with the transport arrow.
    """
    source, by_spark = judge_frame_rows(plan, source)
    reason = F.col(REASON_COLUMN) if by_spark else spark_reject_column(plan.rules, plan.row_schema)
    rows = prepare_stage_rows(attempt, plan, counters, by_spark=by_spark or transport == "pandas_udf")
    if plan.groups is not None:
        return score_grouped_frame(attempt, plan, plan.groups, source, rows)
    if transport != "pandas_udf":
        tasks = plan_task_profile(attempt.spark, attempt.settings.scoring.resources)
        return arrow_transport.score_with_arrow(source, rows, profile=tasks.profile, beside=beside)
    carried = {name: f"{_CARRIED_COLUMN}{index}" for index, name in enumerate(rows.source_columns)}
    if carried:
        source = source.withColumns(
            {carried[name]: F.col(quote_identifier(column)) for name, column in rows.source_columns.items()}
        )
    # Rows without a key, most often none, stay in Spark, which leaves out files that have no NULL: telling them in the
    # UDF would take one more column of each row.
    lacking, keep = has_null_key(plan.rules), reason.isNull() if by_spark else None
    frame = pandas_udf_transport.score_with_pandas_udf(
        source.where(~lacking), rows.model, columns=plan.model_columns, counters=counters, keep=keep
    )
    if rows.beside:
        parts = {name: F.col(f"{PREDICTION_COLUMN}.{name}") for name in (*rows.beside, PREDICTION_COLUMN)}
        frame = frame.withColumns(parts)
    made = (PREDICTION_COLUMN, *rows.beside)
    nothing = {name: F.lit(None).cast(frame.schema[name].dataType) for name in made}
    left = source.where(lacking).withColumns({**nothing, REJECT_COLUMN: reason})
    frame = frame.withColumn(REJECT_COLUMN, F.coalesce(reason, F.col(REJECT_COLUMN))) if by_spark else frame
    staged = [F.col(quote_identifier(carried.get(name, name))).alias(name) for name in rows.schema.names]
    return frame.select(*staged).unionByName(left.select(*staged))


def output_frame(attempt: Attempt, plan: Plan, staged: DataFrame) -> DataFrame:
    """The stage's rows with the columns of the prediction table, constants of the run apart."""
    threshold = attempt.settings.output.threshold
    return postprocess_predictions(
        staged,
        plan.contract,
        output=plan.model.output,
        threshold=threshold,
        nullable=plan.nullable,
        derived=plan.outputs.columns,
    )
