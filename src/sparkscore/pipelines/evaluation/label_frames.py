"""The truths as frames: what each row is worth, which prediction it is of, and the one truth of each prediction.

Columns have names of this module's own: k0, k1, … are the keys.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DataType, DoubleType, FloatType, StructType

from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import Condition, LabelCounts
from sparkscore.settings.label_settings import PositiveTruth
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import timestamp_literal
from sparkscore.spark.type_mapping import spark_to_arrow_schema

_NO_TIME = "CAST(NULL AS TIMESTAMP)"
_STATES = ("null", "invalid", "of_future", "usable")
_ENDS = ("min_truth", "max_truth")
_BEFORE_ALL, _BEYOND_ALL = -(10**18), 10**19
"""Microseconds: before any time that Spark holds, and more than there are between any two."""


def key_names(plan: EvaluationPlan) -> list[str]:
    """The keys as the frames name them."""
    return [f"k{index}" for index in range(len(plan.keys))]


def load_labels(plan: EvaluationPlan) -> DataFrame:
    """All rows of the table of truths: keys, `happened_at`, `known_at`, `truth`, and `state`: usable, null, invalid
    or of_future.

    Jobs:    none.
    """
    labels, settings = plan.labels.load_rows(plan.labels_version), plan.settings.labels
    columns = [f"{quote_identifier(column)} AS k{index}" for index, column in enumerate(plan.keys.values())]
    for column, name in ((settings.time, "happened_at"), (settings.known_at, "known_at")):
        columns.append(f"{_NO_TIME if column is None else f'CAST({quote_identifier(column)} AS TIMESTAMP)'} AS {name}")
    name = str(settings.truth)
    given, value = F.col(quote_identifier(name)), _read_truth(plan, labels.schema)
    frame = labels.select(
        *map(F.expr, columns),
        value.alias("truth"),
        (given.isNotNull() & _is_present(given, labels.schema[name].dataType)).alias("is_given"),
    )
    now = timestamp_literal(plan.now)
    state = (
        f"CASE WHEN happened_at > {now} OR known_at > {now} THEN 'of_future' WHEN NOT is_given THEN 'null'"
        " WHEN truth IS NULL THEN 'invalid' ELSE 'usable' END AS state"
    )
    return frame.selectExpr(*key_names(plan), "happened_at", "known_at", "truth", state)


def _is_present(given: Column, kind: DataType) -> Column:
    if isinstance(kind, FloatType | DoubleType):
        return ~F.isnan(given)
    return F.size(given) > 0 if isinstance(kind, ArrayType) else F.lit(True)


def _read_truth(plan: EvaluationPlan, schema: StructType) -> Column:
    name = str(plan.settings.labels.truth)
    kind, quoted = schema[name].dataType, quote_identifier(name)
    if plan.problem == "binary":
        return _binary_truth(plan, schema, name)
    if plan.problem == "numbers":
        number = f"CAST({quoted} AS DOUBLE)"
        return F.expr(f"CASE WHEN abs({number}) < CAST('Infinity' AS DOUBLE) THEN {number} END")
    if plan.problem == "classes":
        return F.expr(f"CAST({quoted} AS STRING)")
    items = quoted if isinstance(kind, ArrayType) else f"array({quoted})"
    return F.expr(f"array_distinct(filter(transform({items}, x -> CAST(x AS STRING)), x -> x IS NOT NULL))")


def _binary_truth(plan: EvaluationPlan, schema: StructType, name: str) -> Column:
    """0 or 1; NULL for a value that is neither."""
    positive, quoted = plan.settings.labels.positive, quote_identifier(name)
    if positive is not None:
        compared = positive if isinstance(positive, PositiveTruth) else PositiveTruth(op="=", value=positive)
        value = list(compared.value) if isinstance(compared.value, tuple) else compared.value
        is_sensitive = name in plan.settings.source.sensitive
        condition = Condition(name, compared.op, value, sensitive=is_sensitive)
        return to_spark_filter([condition], spark_to_arrow_schema(schema)).cast("int")
    if isinstance(schema[name].dataType, BooleanType):
        return F.expr(f"CAST({quoted} AS INT)")
    number = f"try_cast({quoted} AS DOUBLE)"
    return F.expr(f"CASE WHEN {number} = 1 THEN 1 WHEN {number} = 0 THEN 0 END")


def match_labels(plan: EvaluationPlan, labels: DataFrame, publications: DataFrame) -> tuple[DataFrame, list[str]]:
    """The truths with the `as_of` of the prediction that each is of, NULL where it is of none; and what they are
    joined by: the keys, with the as_of unless every as_of of a key is meant.

    Needs:   `publications`, keys and as_of of every row that is published.
    Jobs:    none.
    """
    keys, settings = key_names(plan), plan.settings.labels
    if settings.matched_by == "key":
        return labels, keys
    if settings.matched_by == "as_of":
        return labels.selectExpr("*", "happened_at AS as_of"), [*keys, "as_of"]
    return _find_predictions_before(labels, publications, keys, plan), [*keys, "as_of"]


def _find_predictions_before(
    labels: DataFrame, publications: DataFrame, keys: Sequence[str], plan: EvaluationPlan
) -> DataFrame:
    """By one sort per key: of rows in order of time, publications first, each truth takes the last as_of before it."""
    columns = ["happened_at", "known_at", "truth", "state"]
    published = publications.selectExpr(*keys, "as_of AS at", "as_of", "0 AS is_label")
    both = published.unionByName(
        labels.selectExpr(*keys, "happened_at AS at", "CAST(NULL AS TIMESTAMP) AS as_of", "1 AS is_label", *columns),
        allowMissingColumns=True,
    )
    over = f"PARTITION BY {', '.join(keys)} ORDER BY at, is_label ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    found = both.selectExpr(
        *keys, "at", "is_label", *columns, f"last_value(as_of) IGNORE NULLS OVER ({over}) AS found"
    ).where("is_label = 1")
    valid, within = plan.settings.labels.valid_for, "found"
    if valid is not None:
        micros = round(valid.total_seconds() * 1_000_000)
        within = f"CASE WHEN unix_micros(at) - unix_micros(found) <= {micros} THEN found END"
    return found.selectExpr(*keys, *columns, f"{within} AS as_of")


def settle_labels(plan: EvaluationPlan, labels: DataFrame, by: Sequence[str]) -> DataFrame:
    """One row per prediction that truths are of: the newest `truth`, by the time at which it became known, then by
    that at which it happened; NULL where equally new ones differ. Beside it how many rows were what.

    Aggregates of plain values, which Spark holds in a hash table; one shuffle, which the join uses, too.

    Jobs:    none.
    """
    recency = _recency_expression(plan)
    usable = labels.repartition(*by) if recency else labels
    grouped = usable.groupBy(*by, *([F.expr(recency).alias("recency")] if recency else []))
    counts = [F.expr(f"count_if(state = '{state}') AS rows_{state}") for state in _STATES]
    ends = [F.expr(f"{name}(truth) FILTER (WHERE state = 'usable') AS {name}_truth") for name in ("min", "max")]
    found = grouped.agg(F.expr("count(1) AS rows"), *counts, *ends)
    if recency:
        sums = [F.expr(f"sum({name}) AS {name}") for name in ("rows", *(f"rows_{state}" for state in _STATES))]
        newest = [F.expr(f"max_by({name}, recency) FILTER (WHERE {name} IS NOT NULL) AS {name}") for name in _ENDS]
        found = found.groupBy(*by).agg(*sums, *newest)
    return found.selectExpr(
        *by,
        "rows",
        "rows_null",
        "rows_invalid",
        "rows_of_future",
        "greatest(rows_usable - 1, 0) AS rows_outdated",
        "coalesce(min_truth != max_truth, false) AS is_conflict",
        "CASE WHEN min_truth = max_truth THEN max_truth END AS truth",
        "rows_usable > 0 AS is_usable",
    )


def _recency_expression(plan: EvaluationPlan) -> str:
    """What orders the truths of a prediction, as a number; none where they have no time."""
    settings = plan.settings.labels
    times = [
        f"coalesce(unix_micros({name}), {_BEFORE_ALL})"
        for name, column in (("known_at", settings.known_at), ("happened_at", settings.time))
        if column is not None
    ]
    if len(times) < 2:
        return times[0] if times else ""
    return f"CAST({times[0]} AS DECIMAL(38, 0)) * {_BEYOND_ALL} + {times[1]}"


def count_truths(plan: EvaluationPlan, settled: DataFrame, publications: DataFrame, by: Sequence[str]) -> LabelCounts:
    """What became of all rows of the table of truths.

    Jobs:    one over both tables' keys.
    """
    known = publications.selectExpr(*by, "true AS is_published")
    if "as_of" not in by and len(plan.runs) > 1:  # a key of several as_ofs
        known = known.distinct()
    joined = settled.join(known, on=list(by), how="left")
    names = {
        "rows": "sum(rows)",
        "nulls": "sum(rows_null)",
        "invalid": "sum(rows_invalid)",
        "of_future": "sum(rows_of_future)",
        "outdated": "sum(CASE WHEN is_published THEN rows_outdated END)",
        "conflicting": "count_if(is_published AND is_conflict)",
        "unmatched": "sum(CASE WHEN is_published IS NULL AND is_usable THEN 1 + rows_outdated END)",
    }
    with translate_spark_errors(f"counting the truths of {plan.labels.name}"):
        found = joined.selectExpr(*(f"{value} AS {name}" for name, value in names.items())).collect()[0]
    return LabelCounts(**{name: int(found[name] or 0) for name in names})
