"""Steps that several verbs share: the choice of the transport, the columns of the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.gate.reject_reasons import REASON_COLUMN, spark_reject_reasons
from sparkscore.gate.row_rules import (
    NULL_KEY,
    compile_arrow_reject,
    has_null_key,
    rule_codes_without_arrow_form,
    spark_reject_column,
)
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.model.distribution.model_shipping import ship_model
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.postprocessing import postprocess_predictions, stage_schema
from sparkscore.records import FileScan
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.scoring import arrow_transport, pandas_udf_transport
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.score_udf import check_nullable_integers
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.isolated_session import BATCH_ROWS_CONF
from sparkscore.spark.settable_conf import is_any_refused, read_setting

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
        _check_session_batches(attempt, plan, choice.transport)
    return choice


def _find_transport(
    attempt: Attempt, plan: Plan, *, target: int | None, further_columns: Sequence[str]
) -> TransportChoice:
    scoring = attempt.settings.scoring
    if scoring.transport in ("arrow", "pandas_udf"):
        return TransportChoice(scoring.transport, "as configured")
    inexact = rule_codes_without_arrow_form(plan.rules, plan.snapshot.schema)
    if inexact:
        return TransportChoice("arrow", f"no scan: only Spark computes {inexact[0]}, which rejects rows, exactly")
    rows = None if scoring.batch_rows == "auto" else scoring.batch_rows
    try:
        columns = tuple(dict.fromkeys((*plan.snapshot.columns, *further_columns)))
        snapshot = replace(plan.snapshot, columns=columns)
        scan = plan_file_scan(attempt.spark, snapshot, batch_rows=rows, target=target, source=attempt.source)
    except ScanUnsupported as unsure:
        return TransportChoice("arrow", f"no scan: {unsure.found}")
    found = f"{scan.files:,} files, {scan.bytes / 1e6:,.0f} MB in {len(scan.splits):,} splits"
    return TransportChoice(
        "scan", found + (f", {scan.pruned:,} files left out by the filter" if scan.pruned else ""), scan
    )


def _check_session_batches(attempt: Attempt, plan: Plan, transport: str) -> None:
    """Refuse what only a setting of the session gives, where it lets nobody set it."""
    rows = attempt.settings.scoring.batch_rows
    if rows != "auto" and is_any_refused(attempt.spark, (BATCH_ROWS_CONF,)):
        found = read_setting(attempt.spark, BATCH_ROWS_CONF)
        if found != str(rows):
            raise ConfigError(
                f"scoring.batch_rows is {rows:,}, and the session, which has {found}, lets nobody set"
                f" {BATCH_ROWS_CONF}",
                "auto: batches as the session makes them",
                "leave scoring.batch_rows out, or use compute that lets its sessions set it",
            )
    if transport == "pandas_udf" and is_any_refused(attempt.spark, (NULLABLE_INTEGERS_CONF,)):
        check_nullable_integers(attempt.spark, plan.model.inputs, "use scoring.transport: arrow")


def prepare_stage_rows(attempt: Attempt, plan: Plan, counters: Counters, *, by_spark: bool = False) -> StageRowScorer:
    """What tasks do with source rows, for the transports in Arrow. `by_spark`: Spark has judged each row already."""
    model = attempt.settings.model
    shipped = ship_model(
        attempt.spark,
        plan.model,
        params=model.params,
        residency=model.residency,
        batch_timeout=attempt.settings.scoring.batch_timeout,
        repeat_rows=attempt.settings.scoring.repeat_rows,
        sensitive=bool(attempt.settings.source.sensitive),
    )
    nullable = plan.nullable if attempt.settings.scoring.reject_null_predictions else None
    return StageRowScorer(
        replace(shipped, secret=attempt.secret, nullable=nullable),
        plan.model_columns,
        spark_reject_reasons if by_spark else compile_arrow_reject(plan.rules, plan.snapshot.schema),
        stage_schema(plan.contract, output=plan.model.output),
        counters,
        _renamed_columns(attempt),
    )


def _renamed_columns(attempt: Attempt) -> dict[str, str]:
    """Column of the stage -> column of the source, where their names differ."""
    return {name: column for column, name in attempt.settings.output_names.items() if name != column}


def scored_frame(attempt: Attempt, plan: Plan, source: DataFrame, counters: Counters, transport: str) -> DataFrame:
    """The stage's rows for rows of the source as Spark reads them; the model runs when the frame is computed."""
    reason = spark_reject_column(plan.rules, plan.snapshot.schema)
    by_spark = any(rule.kind != NULL_KEY for rule in plan.rules.rules)
    if by_spark:  # judged before a column of the source may give its name to one of the stage
        source, reason = source.withColumn(REASON_COLUMN, reason), F.col(REASON_COLUMN)
    rows = prepare_stage_rows(attempt, plan, counters, by_spark=by_spark or transport == "pandas_udf")
    if transport != "pandas_udf":
        return arrow_transport.score_with_arrow(source, rows)
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
    nothing = F.lit(None).cast(frame.schema[PREDICTION_COLUMN].dataType)
    left = source.where(lacking).withColumns({PREDICTION_COLUMN: nothing, REJECT_COLUMN: reason})
    frame = frame.withColumn(REJECT_COLUMN, F.coalesce(reason, F.col(REJECT_COLUMN))) if by_spark else frame
    staged = [F.col(quote_identifier(carried.get(name, name))).alias(name) for name in rows.schema.names]
    return frame.select(*staged).unionByName(left.select(*staged))


def output_frame(attempt: Attempt, plan: Plan, staged: DataFrame) -> DataFrame:
    """The stage's rows with the columns of the prediction table, constants of the run apart."""
    threshold = attempt.settings.output.threshold
    return postprocess_predictions(
        staged, plan.contract, output=plan.model.output, threshold=threshold, nullable=plan.nullable
    )
