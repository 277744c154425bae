"""Models, and ways to call them: each by `score_udf` and by MLflow's own `spark_udf`, and what became of both.

The table of docs/parity.md is made of it: tests compare each row with what they find.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc import spark_udf
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.scoring.score_udf import score_udf
from tests import world
from tests.model.shelf import Shelf

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
WAYS = ("columns", "struct", "SQL", "foreachBatch", "result_type")

Call = Callable[..., Column]
"""A column function: of `score_udf` or of MLflow."""


@dataclass(frozen=True)
class ModelCase:
    """A model, and rows for it."""

    name: str
    """The row of the table: library and types."""
    put: Callable[[Shelf], str]
    """Registers it; its URI."""
    rows: pd.DataFrame
    schema: str
    result_type: str = "array<double>"
    struct_of: Mapping[str, str] = field(default_factory=dict)
    """Names of the struct's fields, where they are not the columns'."""


def call_all_ways(spark: SparkSession, shelf: Shelf, case: ModelCase) -> dict[str, str]:
    """What became of each way to call the model."""
    uri = case.put(shelf)
    frame = spark.createDataFrame(case.rows, case.schema).coalesce(1)
    found = {}
    with world.tracking(shelf.uri):
        for way in WAYS:
            wish = {"result_type": case.result_type} if way == "result_type" else {}
            ours = _try(partial(_call_ours, way, uri, frame, case, shelf.uri, wish))
            theirs = _try(partial(_call_theirs, way, uri, frame, case, wish))
            found[way] = _compare(ours, theirs)
    return found


def table_row(case: ModelCase, found: Mapping[str, str]) -> str:
    """The row of the table in docs/parity.md."""
    return f"| {case.name} | {' | '.join(found[way] for way in WAYS)} |"


def documented_rows() -> dict[str, str]:
    """The rows of the page's table by their names."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {match[1].strip(): line for line in lines if (match := re.match(r"\| ([^|]+) \|( [^|]+ \|){5}$", line))}


def _call_ours(
    way: str, uri: str, frame: DataFrame, case: ModelCase, tracking_uri: str, wish: Mapping[str, Any]
) -> list[Any]:
    return _call(way, score_udf(frame.sparkSession, uri, tracking_uri=tracking_uri, **wish), frame, case)


def _call_theirs(way: str, uri: str, frame: DataFrame, case: ModelCase, wish: Mapping[str, Any]) -> list[Any]:
    return _call(way, spark_udf(frame.sparkSession, uri, **wish), frame, case)


def _call(way: str, function: Any, frame: DataFrame, case: ModelCase) -> list[Any]:
    names = frame.columns
    if way == "struct":
        fields = [F.col(name).alias(case.struct_of.get(name, name)) for name in names]
        return _collect(frame.select(function(F.struct(*fields)).alias("p")))
    if way == "SQL":
        frame.sparkSession.udf.register("matrix", function)
        frame.createOrReplaceTempView("matrix_rows")
        return _collect(frame.sparkSession.sql(f"SELECT matrix({', '.join(names)}) AS p FROM matrix_rows"))  # noqa: S608 - our own names
    if way == "foreachBatch":
        return _stream(function, frame)
    return _collect(frame.select(function(*names).alias("p")))


def _collect(frame: DataFrame) -> list[Any]:
    return [_plain(row["p"]) for row in frame.collect()]


def _plain(value: Any) -> Any:
    """Without Spark's rows; floats as text of their bits' value."""
    if hasattr(value, "asDict"):
        return {name: _plain(one) for name, one in value.asDict().items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _stream(function: Call, frame: DataFrame) -> list[Any]:
    found: list[Any] = []
    with _stored(frame) as stored:
        stream = frame.sparkSession.readStream.schema(frame.schema).parquet(f"{stored}/rows")
        query = (
            stream.writeStream.foreachBatch(
                lambda batch, _: found.extend(_collect(batch.coalesce(1).select(function(*frame.columns).alias("p"))))
            )
            .option("checkpointLocation", f"{stored}/checkpoint")
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
    return found


@contextmanager
def _stored(frame: DataFrame) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        frame.write.parquet(f"{folder}/rows")
        yield folder


def _try(call: Callable[[], list[Any]]) -> list[Any] | Exception:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever it is, there are no predictions
        return error


def _compare(ours: list[Any] | Exception, theirs: list[Any] | Exception) -> str:
    if isinstance(ours, Exception):
        return "neither" if isinstance(theirs, Exception) else "**MLflow only**"
    if isinstance(theirs, Exception):
        return "here only"
    if _is_equal([[one] for one in ours], theirs):
        return "same, unwrapped"
    return "same" if _is_equal(ours, theirs) else "differs"


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-6, atol=1e-9))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_equal(one[name], other[name]) for name in one)
    return type(one) is type(other) and bool(one == other)
