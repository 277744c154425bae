"""The sums of classes, numbers and ranked lists, by Spark: one aggregate for all slices."""

from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, StructType

from sparkscore.monitor.quality.binary_quality import SMALLEST_PROBABILITY
from sparkscore.monitor.quality.class_quality import ConfusionCell, measure_classes
from sparkscore.monitor.quality.number_quality import ErrorSums, measure_errors
from sparkscore.monitor.quality.ranking_quality import RANKING_METRICS, MeanSums, measure_lists
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.pipelines.evaluation.prediction_frames import GROUP
from sparkscore.pipelines.evaluation.slice_quality import SliceKey, SliceQuality, collect_rows, group_key
from sparkscore.spark.sql_texts import double_literal, text_literal

_USABLE = "truth IS NOT NULL AND predicted IS NOT NULL"
_COUNTS = ("count(1) AS rows", "count_if(truth IS NOT NULL AND predicted IS NULL) AS null_predictions")


def measure_number_slices(plan: EvaluationPlan, joined: DataFrame) -> Iterator[SliceQuality]:
    """The metrics of predicted numbers.

    Jobs:    one.
    """
    error, share = "(predicted - truth)", "(abs(predicted - truth) / abs(nullif(truth, 0)))"
    sums = {
        "count": f"CAST(count_if({_USABLE}) AS DOUBLE)",
        "absolute": f"sum(abs{error})",
        "squared": f"sum({error} * {error})",
        "fourth": f"sum(pow({error}, 4))",
        "relative": f"sum({share})",
        "relative_squared": f"sum({share} * {share})",
        "relative_count": f"CAST(count({share}) AS DOUBLE)",
        "truth_squares": f"var_pop(CASE WHEN {_USABLE} THEN truth END) * count_if({_USABLE})",
    }
    for row in _collect_sums(plan, joined, sums):
        found = ErrorSums(**{name: float(row[name] or 0) for name in sums})
        yield SliceQuality(group_key(row), row["rows"], row["null_predictions"], measure_errors(found))


def measure_ranking_slices(plan: EvaluationPlan, joined: DataFrame) -> Iterator[SliceQuality]:
    """The metrics of ranked lists.

    Jobs:    one.
    """
    kind, k = joined.schema["predicted"].dataType, plan.settings.performance.k
    values = joined.selectExpr(*GROUP, "truth", f"{_first_items(kind, k)} AS predicted").selectExpr(
        "*",
        "transform(predicted, x -> IF(array_contains(truth, x), 1D, 0D)) AS hits",
        f"least({k}, size(truth)) AS most",
    )
    named = values.selectExpr("*", *(f"{value} AS {name}" for name, value in _list_expressions(k).items()))
    sums = {"lists": f"count_if({_USABLE})"}
    for name in RANKING_METRICS:
        sums |= {f"{name}_total": f"sum({name})", f"{name}_squares": f"sum({name} * {name})"}
    for row in _collect_sums(plan, named, sums):
        means = {name: MeanSums(row[f"{name}_total"] or 0.0, row[f"{name}_squares"] or 0.0) for name in RANKING_METRICS}
        yield SliceQuality(group_key(row), row["rows"], row["null_predictions"], measure_lists(row["lists"], means))


def _first_items(kind: DataType, k: int) -> str:
    """The first k items, as text, each once; of items with fields the first field."""
    item = "CAST(x AS STRING)"
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
        item = f"CAST(x.`{kind.elementType.names[0]}` AS STRING)"
    return f"slice(array_distinct(transform(predicted, x -> {item})), 1, {k})"


def _list_expressions(k: int) -> dict[str, str]:
    """As `list_values` has them; NULL without truth or prediction."""
    found = "aggregate(hits, 0D, (total, hit) -> total + hit)"
    gain = "aggregate(transform(hits, (hit, i) -> hit / log2(i + 2)), 0D, (total, one) -> total + one)"
    ideal = "aggregate(sequence(1, most), 0D, (total, i) -> total + 1 / log2(i + 1))"
    precisions = (
        "aggregate(hits, named_struct('hits', 0D, 'place', 0D, 'total', 0D), (state, hit) -> named_struct("
        "'hits', state.hits + hit, 'place', state.place + 1,"
        " 'total', state.total + hit * (state.hits + hit) / (state.place + 1)),"
        " state -> state.total)"
    )
    return {
        "ndcg": f"{gain} / {ideal}",
        "precision_at_k": f"{found} / {k}",
        "recall_at_k": f"{found} / size(truth)",
        "map_at_k": f"{precisions} / most",
        "hit_rate": f"IF({found} > 0, 1D, 0D)",
    }


def _collect_sums(plan: EvaluationPlan, joined: DataFrame, sums: Mapping[str, str]) -> list[dict[str, Any]]:
    columns = [F.expr(text) for text in (*_COUNTS, *(f"{value} AS {name}" for name, value in sums.items()))]
    return collect_rows(joined.groupBy(*GROUP).agg(*columns), plan)


def measure_class_slices(plan: EvaluationPlan, joined: DataFrame) -> Iterator[SliceQuality]:
    """The metrics of several classes, from the rows of each true and predicted one.

    Jobs:    one.
    """
    kind = joined.schema["predicted"].dataType
    is_probability = isinstance(kind, ArrayType)
    names = list_class_names(plan)
    predicted = _likeliest_class(names) if is_probability else _class_text(kind)
    loss = _class_loss(names) if is_probability else "CAST(NULL AS DOUBLE)"
    labelled = joined.selectExpr(*GROUP, "truth", f"{predicted} AS predicted", f"{loss} AS loss")
    named = labelled.selectExpr(
        *GROUP,
        f"IF({_USABLE}, truth, NULL) AS true_class",
        f"IF({_USABLE}, predicted, NULL) AS given_class",
        "truth",
        "predicted",
        "loss",
    )
    aggregates = (*_COUNTS, "sum(loss) AS losses", "sum(loss * loss) AS squares", "count(loss) AS known")
    cells = named.groupBy(*GROUP, "true_class", "given_class").agg(*map(F.expr, aggregates))
    slices: dict[SliceKey, list[dict[str, Any]]] = {}
    for row in collect_rows(cells, plan):
        slices.setdefault(group_key(row), []).append(row)
    for key, rows in slices.items():
        total, lost = (sum(row[name] for row in rows) for name in ("rows", "null_predictions"))
        own = [_to_cell(row) for row in rows if row["true_class"] is not None]
        yield SliceQuality(key, total, lost, measure_classes(own))


def list_class_names(plan: EvaluationPlan) -> tuple[str, ...]:
    """The classes in the order of the probabilities; none: their places, from 0."""
    return tuple(str(one) for one in plan.settings.output.classes)


def _class_array(names: tuple[str, ...]) -> str:
    if names:
        return f"array({', '.join(map(text_literal, names))})"
    return "transform(sequence(0, size(predicted) - 1), i -> CAST(i AS STRING))"


def _likeliest_class(names: tuple[str, ...]) -> str:
    """The first of the greatest probabilities."""
    place = "array_position(predicted, array_max(predicted))"
    return f"CASE WHEN {place} > 0 THEN try_element_at({_class_array(names)}, CAST({place} AS INT)) END"


def _class_loss(names: tuple[str, ...]) -> str:
    """-log of the probability of the true class; NULL for a class that the model does not know."""
    eps = double_literal(SMALLEST_PROBABILITY)
    place = f"nullif(CAST(array_position({_class_array(names)}, truth) AS INT), 0)"
    return f"-ln(greatest({eps}, least(1 - {eps}, CAST(try_element_at(predicted, {place}) AS DOUBLE))))"


def _class_text(kind: DataType) -> str:
    """A class as text; a floating number that is whole as a whole number."""
    if isinstance(kind, FloatType | DoubleType):
        return "IF(predicted = rint(predicted), CAST(CAST(predicted AS BIGINT) AS STRING), CAST(predicted AS STRING))"
    return "CAST(predicted AS STRING)"


def _to_cell(row: Mapping[str, Any]) -> ConfusionCell:
    is_known = row["known"] == row["rows"]
    losses = (row["losses"], row["squares"]) if is_known else (None, None)
    return ConfusionCell(row["true_class"], row["given_class"], row["rows"], *losses)
