"""The rows that a champion and a challenger have both predicted, side by side, summed in cells by one Spark job."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, DecimalType, NumericType, StringType

from sparkscore.monitor.comparison.prediction_cells import CellLayout, PredictionKind
from sparkscore.pipelines.comparison.compared_runs import ComparedRuns
from sparkscore.pipelines.evaluation.evaluation_plan import find_field_type, quote_field
from sparkscore.schemas import CHALLENGERS_SUFFIX, CHAMPION_RUN_COLUMN, LABEL_COLUMN, PREDICTION_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import text_literal
from sparkscore.store.guarded_writes import as_of_condition
from sparkscore.store.table import Table

MAX_CELLS = 500_000
"""Cells that reach the driver; beyond them rare segments are left out."""
_CELLS_PER_OCTAVE = 16
"""Numbers from x to 2 x lie in so many cells: sums within a cell are exact, ranks to one part in sixteen."""
CHAMPION_VALUE, CHALLENGER_VALUE = "_sparkscore_p", "_sparkscore_q"
"""What is compared of both."""
_CHAMPION_LABEL, _CHALLENGER_LABEL = "_sparkscore_p_label", "_sparkscore_q_label"
_SUMS = {
    "sum_p": "p",
    "sum_q": "q",
    "sum_pp": "p * p",
    "sum_qq": "q * q",
    "sum_pq": "p * q",
    "sum_difference": "abs(p - q)",
}


def pair_rows(
    target: Table, runs: ComparedRuns, keys: Sequence[str], segments: Sequence[str], compared: str = PREDICTION_COLUMN
) -> DataFrame:
    """One row per key and as_of that both have predicted: keys, as_of, segments, both predictions and labels.

    `compared`: the column that counts as the prediction, or a dotted path.

    Raises:  ConfigError for a column that is not there.
    """
    champions = [run.publication.run_id for run in runs.runs]
    conditions = " OR ".join(f"({as_of_condition(as_of)})" for as_of in runs.as_ofs)
    named = {run.challenger["run_id"] for run in runs.runs}
    mine = target.load_rows().where(conditions).where(F.col("run_id").isin(champions))
    theirs = target.sibling(CHALLENGERS_SUFFIX).load_rows().where(conditions).where(F.col("run_id").isin([*named]))
    return pair_prediction_frames(mine, theirs, keys, segments, compared)


def pair_prediction_frames(
    mine: DataFrame, theirs: DataFrame, keys: Sequence[str], segments: Sequence[str], compared: str = PREDICTION_COLUMN
) -> DataFrame:
    """The same of any two frames of predictions. `theirs` names by CHAMPION_RUN_COLUMN the run of `mine` beside it.

    Raises:  ConfigError for a column that is not there.
    """
    labels = [LABEL_COLUMN] if LABEL_COLUMN in mine.columns and LABEL_COLUMN in theirs.columns else []
    on = ["as_of", *keys]
    carried = [*dict.fromkeys((*on, *segments))]
    first = mine.select(
        *map(_column, carried),
        _column("run_id").alias(CHAMPION_RUN_COLUMN),
        _compared_column(mine, compared).alias(CHAMPION_VALUE),
        *(_column(name).alias(_CHAMPION_LABEL) for name in labels),
    )
    second = theirs.select(
        *map(_column, on),
        _column(CHAMPION_RUN_COLUMN),
        _compared_column(theirs, compared).alias(CHALLENGER_VALUE),
        *(_column(name).alias(_CHALLENGER_LABEL) for name in labels),
    )
    return first.join(second, on=[*on, CHAMPION_RUN_COLUMN], how="inner")


def describe_cells(pairs: DataFrame) -> CellLayout:
    """What can be told of the rows, by the types of the predictions."""
    kinds = [pairs.schema[name].dataType for name in (CHAMPION_VALUE, CHALLENGER_VALUE)]
    found = {_prediction_kind(kind) for kind in kinds}
    kind: PredictionKind = found.pop() if len(found) == 1 else "other"
    return CellLayout(kind, _CHAMPION_LABEL in pairs.columns, kinds[0].simpleString())


def sum_cells(pairs: DataFrame, layout: CellLayout, segments: Sequence[str]) -> pa.Table:
    """The sums of each cell of each slice; those of all rows first, then the cells with the most rows.

    Jobs:    one.
    """
    groups = ["slice_key", "slice_value", "champion_cell", "challenger_cell", "champion_label", "challenger_label"]
    sliced = _explode_slices(_add_cells(_select_compared(pairs, segments), layout), segments)
    counted = sliced.groupBy(*groups).agg(*_cell_sums(layout))
    first = [F.col("slice_key").isNotNull(), F.col("rows").desc()]
    with translate_spark_errors("comparing the predictions of two models"):
        return counted.orderBy(*first).limit(MAX_CELLS).toArrow()


def _compared_column(rows: DataFrame, path: str) -> Column:
    find_field_type(rows.schema, path, "the prediction table (performance.prediction)")
    return F.expr(quote_field(rows.schema, path))


def _column(name: str) -> Column:
    return F.col(quote_identifier(name))


def _prediction_kind(kind: DataType) -> PredictionKind:
    if isinstance(kind, NumericType | DecimalType):
        return "number"
    return "text" if isinstance(kind, StringType | BooleanType) else "other"


def _add_cells(pairs: DataFrame, layout: CellLayout) -> DataFrame:
    made = pairs
    if layout.kind != "number":
        text = "CAST({} AS STRING)" if layout.kind == "text" else "CAST(NULL AS STRING)"
        cells = {name: F.expr(text.format(side)) for name, side in _sides("{}_cell")}
        equal = F.expr(f"{CHAMPION_VALUE} <=> {CHALLENGER_VALUE}" if _is_comparable(pairs) else "false")
        return made.withColumns({**cells, "is_equal": equal})
    made = made.withColumns(
        {"p": F.expr(f"CAST({CHAMPION_VALUE} AS DOUBLE)"), "q": F.expr(f"CAST({CHALLENGER_VALUE} AS DOUBLE)")}
    )
    valid = " AND ".join(f"{one} IS NOT NULL AND abs({one}) < double('Infinity')" for one in ("p", "q"))
    made = made.withColumns({"is_equal": F.expr("p <=> q"), "is_valid": F.expr(f"coalesce({valid}, false)")})
    cell = _probability_cell if layout.has_labels else _number_cell
    return made.withColumns({"champion_cell": F.expr(cell("p")), "challenger_cell": F.expr(cell("q"))})


def _select_compared(pairs: DataFrame, segments: Sequence[str]) -> DataFrame:
    """What is summed, under names of this module's own: a column of the source may have any name."""
    labels = {"champion_label": _CHAMPION_LABEL, "challenger_label": _CHALLENGER_LABEL}
    absent = F.lit(None).cast("int")
    return pairs.select(
        CHAMPION_VALUE,
        CHALLENGER_VALUE,
        *((F.col(own) if own in pairs.columns else absent).alias(name) for name, own in labels.items()),
        *(_column(name).cast("string").alias(f"s{index}") for index, name in enumerate(segments)),
    )


def _sides(pattern: str) -> list[tuple[str, str]]:
    return [(pattern.format("champion"), CHAMPION_VALUE), (pattern.format("challenger"), CHALLENGER_VALUE)]


def _is_comparable(pairs: DataFrame) -> bool:
    first, second = (pairs.schema[name].dataType for name in (CHAMPION_VALUE, CHALLENGER_VALUE))
    return first == second and "map<" not in first.simpleString()


def _number_cell(x: str) -> str:
    """The number rounded to its cell; NULL where there is none."""
    width = f"pow(2, floor(log2(abs({x}))) - {_CELLS_PER_OCTAVE.bit_length() - 1})"
    return f"CASE WHEN {x} = 0 THEN 0D WHEN is_valid THEN round({x} / {width}) * {width} END"


def _probability_cell(x: str) -> str:
    """As finely near 1 as near 0: where nearly all rows are of one class, they differ there."""
    return f"CASE WHEN {x} > 0.5 AND {x} <= 1 THEN 1 - ({_number_cell(f'(1 - {x})')}) ELSE {_number_cell(x)} END"


def _explode_slices(rows: DataFrame, segments: Sequence[str]) -> DataFrame:
    parts = [f"struct({text_literal(name)} AS k, s{index} AS v)" for index, name in enumerate(segments)]
    slices = ", ".join(["struct(CAST(NULL AS STRING) AS k, CAST(NULL AS STRING) AS v)", *parts])
    exploded = rows.selectExpr("*", f"explode(array({slices})) AS _sparkscore_slice")
    return exploded.withColumns(
        {"slice_key": F.expr("_sparkscore_slice.k"), "slice_value": F.expr("_sparkscore_slice.v")}
    )


def _cell_sums(layout: CellLayout) -> list[Column]:
    made = [F.count(F.lit(1)).alias("rows"), F.expr("count_if(is_equal)").alias("equal")]
    if layout.kind != "number":
        return made
    made += [F.expr("count_if(is_valid)").alias("valid")]
    made += [F.expr(f"coalesce(sum(IF(is_valid, {what}, 0D)), 0D)").alias(name) for name, what in _SUMS.items()]
    ends = [("min", one) for one in "pq"] + [("max", one) for one in "pq"]
    made += [F.expr(f"{end}(IF(is_valid, {one}, NULL))").alias(f"{end}_{one}") for end, one in ends]
    return [*made, F.expr("max(IF(is_valid, abs(p - q), NULL))").alias("max_difference")]
