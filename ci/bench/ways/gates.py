"""Gates: a suite of scalar rules judged by ours, by an aggregation as people write it, and by its own engine."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from sparkscore.gate.gx.gx_engine import evaluate_with_gx
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import evaluate_suite

Broken = Mapping[int, int]
"""How many rows break a rule, by the rule's place; of those that count rows."""


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    spark = session("bench gates")
    ways: Mapping[str, Callable[[DataFrame, list[Expectation]], Broken]] = {"ours": ours, "bare": bare, "gx": engine}
    return {name: _way(spark, judge) for name, judge in ways.items()}


def _way(spark: SparkSession, judge: Callable[[DataFrame, list[Expectation]], Broken]) -> Way:
    def turn(told: Turn) -> Answer:
        frame = spark.read.format("delta").load(told["data"]["path"])
        suite = rules(told["options"]["rules"], told["data"]["features"])
        spark.sparkContext.setJobGroup(told["out"], "gate")
        started = time.monotonic()
        broken = judge(frame, suite)
        seconds = time.monotonic() - started
        jobs = len(spark.sparkContext.statusTracker().getJobIdsForGroup(told["out"]))
        notes = {"broken": sum(broken.values()), "jobs": jobs}
        return {"seconds": seconds, "rows": None, "output": {"kind": "none"}, "notes": notes}

    return turn


def rules(count: int, columns: list[str]) -> list[Expectation]:
    """So many rules over the columns, no two alike: seven sorts, of each two that count rows and five aggregates."""
    return [_rule(place, columns[place // len(_KINDS) % len(columns)]) for place in range(count)]


_KINDS = ("values_to_not_be_null", "values_to_be_between", "mean", "stdev", "min", "max", "sum")
_AGGREGATES: Mapping[str, Callable[[Column], Column]] = {
    "mean": F.avg,
    "stdev": F.stddev_samp,
    "min": F.min,
    "max": F.max,
    "sum": F.sum,
}


def _rule(place: int, column: str) -> Expectation:
    kind, bound = _KINDS[place % len(_KINDS)], 3 + place / 1000
    if kind == "values_to_not_be_null":
        return Expectation(f"expect_column_{kind}", {"column": column, "mostly": 1 - place / 1000})
    if kind == "values_to_be_between":
        return Expectation(f"expect_column_{kind}", {"column": column, "min_value": -bound, "max_value": bound})
    return Expectation(f"expect_column_{kind}_to_be_between", {"column": column, "max_value": 1e9 * bound})


def ours(frame: DataFrame, suite: list[Expectation]) -> Broken:
    """The gate's own computation."""
    return _counts(evaluate_suite(frame, Suite("bench", tuple(suite)), gate="input"))


def engine(frame: DataFrame, suite: list[Expectation]) -> Broken:
    """Great Expectations' own engine, as quiet and as lean as it can be made."""
    return _counts(evaluate_with_gx(frame, suite))


def bare(frame: DataFrame, suite: list[Expectation]) -> Broken:
    """One aggregation, an expression per rule."""
    found = frame.agg(F.count(F.lit(1)), *[_expression(one) for one in suite]).collect()[0]
    return {place: found[place + 1] for place, one in enumerate(suite) if "_values_" in one.type}


def _expression(expectation: Expectation) -> Column:
    column, kwargs = F.col(expectation.kwargs["column"]), expectation.kwargs
    if expectation.type.endswith("not_be_null"):
        return F.count(F.when(column.isNull() | F.isnan(column), 1))
    if "values" in expectation.type:
        return F.count(F.when((column < kwargs["min_value"]) | (column > kwargs["max_value"]), 1))
    return _AGGREGATES[expectation.type.split("_")[2]](column)


def _counts(found: list[Any]) -> Broken:
    return {place: one.result["unexpected_count"] for place, one in enumerate(found) if "element_count" in one.result}


if __name__ == "__main__":
    serve(start)
