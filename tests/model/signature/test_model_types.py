"""Every type of MLflow's signatures as an input: what a model gets is what MLflow's own UDF gives it."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pyarrow as pa
import pydantic
import pytest
from mlflow.pyfunc import spark_udf
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType, Array, DataType, Map, Object, Property
from pyspark.sql import DataFrame, SparkSession

from sparkscore.scoring.score_udf import score_udf
from tests import world
from tests.model.shelf import Shelf, columns, signature

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

ANY = AnyType()  # type: ignore[no-untyped-call]
POINT = Object([Property("x", DataType.long), Property("label", DataType.string, required=False)])
TYPES: Mapping[str, tuple[Any, str]] = {
    "numbers": (Map(DataType.double), "map('a', 1.5D, 'b', CAST(id AS DOUBLE))"),
    "points": (Map(POINT), "map('p', named_struct('x', id, 'label', 'L'))"),
    "texts": (Map(Array(DataType.string)), "map('t', array('u', 'v'))"),
    "maps": (Map(Map(DataType.long)), "map('k', map('l', id))"),
    "any_map": (Map(ANY), "map('a', array(id))"),
    "of_struct": (Map(DataType.string), "named_struct('a', 'A', 'b', 'B')"),
    "any_text": (ANY, "CAST(id AS STRING)"),
    "any_list": (ANY, "array(id, id + 1)"),
    "any_struct": (ANY, "named_struct('n', id, 's', 'S')"),
    "any_lists": (Array(ANY), "array('a', 'b')"),
    "whole": (POINT, "named_struct('x', id, 'label', 'L')"),
    "without": (POINT, "named_struct('x', id)"),
    "deep": (Array(Object([Property("m", Map(POINT))])), "array(named_struct('m', map('p', named_struct('x', id))))"),
    "list": (Array(Array(DataType.double)), "array(array(1.5D, 2.5D), array(3.5D, 4.5D))"),
}
"""A name, its type in the signature, and the column that Spark has of it."""


def seen(value: Any) -> Any:
    """The value with the types in it. Lists and arrays are not told apart: MLflow gives now these and now those."""
    if isinstance(value, np.ndarray | list):
        return [seen(one) for one in value]
    if isinstance(value, dict):
        return {name: seen(one) for name, one in sorted(value.items())}
    return f"{type(value).__name__} {value}"


class Sees(PythonModel):
    """Answers with what it is given."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        return [json.dumps(seen(row)) for row in model_input.to_dict(orient="records")]


@pytest.fixture(scope="module")
def sees(shelf: Shelf) -> str:
    """A model that takes all of the types."""
    inputs = Schema([ColSpec(kind, name) for name, (kind, _) in TYPES.items()])
    return shelf.put("sees", Sees(), signature(inputs, columns(p="string")))


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    """Three rows."""
    return spark.range(3).coalesce(1).selectExpr("id", *(f"{made} AS {name}" for name, (_, made) in TYPES.items()))


def told(frame: DataFrame, predict: Any) -> list[Any]:
    """What the model has seen of each row."""
    scored = frame.select("id", predict(*TYPES).alias("p")).toPandas().sort_values("id")
    return [json.loads(text) for text in scored["p"]]


def test_a_model_gets_each_type_as_mlflows_own_udf_gives_it(
    spark: SparkSession, shelf: Shelf, sees: str, frame: DataFrame
) -> None:
    with world.tracking(shelf.uri):
        theirs = told(frame, spark_udf(spark, sees, result_type="string", env_manager="local"))
    ours = told(frame, score_udf(spark, sees, tracking_uri=shelf.uri))
    score = shelf.placed(sees).scorer()
    arrow = frame.orderBy("id").toArrow().drop(["id"])
    (batch,) = arrow.combine_chunks().to_batches()
    by_arrow = [json.loads(text) for text in score(batch.columns).predictions.to_pylist()]
    assert ours == theirs == by_arrow


class Inner(pydantic.BaseModel):
    """An object in an object."""

    raw: bytes
    ok: bool


class Place(pydantic.BaseModel):
    """What a model may say that it takes."""

    x: int
    label: str | None = None
    seen: list[float]
    at: datetime
    times: list[datetime]
    by_day: dict[str, int]
    inner: Inner
    more: Any = None


def hinted(hint: Any) -> PythonModel:
    """A model whose signature MLflow infers from its type hint."""

    class Hinted(PythonModel):
        def predict(self, model_input: hint) -> list[str]:  # type: ignore[override]
            return [str(one).replace("Timestamp('2013-06-30 12:00:00')", repr(NOON)) for one in model_input]

    return Hinted()


NOON = datetime(2013, 6, 30, 12)  # noqa: DTZ001 - MLflow's own have no zone
DAYS = pa.map_(pa.string(), pa.int64())
UTC = pa.timestamp("us", "UTC")
PLACES: Mapping[str, tuple[pa.DataType, Any]] = {
    "x": (pa.int32(), 1),
    "seen": (pa.list_(pa.float64()), [0.5]),
    "at": (UTC, NOON),
    "times": (pa.list_(UTC), [NOON]),
    "by_day": (DAYS, {"mon": 2}),
    "inner": (pa.struct([("raw", pa.binary()), ("ok", pa.bool_())]), {"raw": b"r", "ok": True}),
    "more": (pa.list_(pa.int64()), [1, 2]),
}
"""The type in the source, and the value as people give it to MLflow. `label` is left out: it is optional."""


def fields_of(values: Mapping[str, tuple[pa.DataType, Any]]) -> Iterator[tuple[str, pa.DataType]]:
    """Names and types of a struct."""
    return ((name, kind) for name, (kind, _) in values.items())


PLACE = {name: value for name, (_, value) in PLACES.items()}
HINTS: Mapping[str, tuple[Any, pa.Array, list[Any]]] = {
    "integers": (list[int], pa.array([1, 2], pa.int32()), [1, 2]),
    "dicts": (
        list[dict[str, list[str]]],
        pa.array([{"a": ["x"], "b": []}]),
        [{"a": ["x"], "b": []}],
    ),
    "pydantic": (
        list[Place],
        pa.array([PLACE], pa.struct([(name, kind) for name, (kind, _) in PLACES.items()])),
        [PLACE],
    ),
}
"""A type hint, a column, and the same values as people give them to MLflow."""


@pytest.mark.usefixtures("own_environment")
@pytest.mark.parametrize("case", HINTS)
def test_a_model_with_a_type_hint_gets_what_mlflow_gives_it(shelf: Shelf, case: str) -> None:
    hint, column, values = HINTS[case]
    uri = shelf.put(f"hinted-{case}", hinted(hint), None)
    with world.tracking(shelf.uri):
        expected = mlflow.pyfunc.load_model(uri).predict(values)
    placed = shelf.placed(uri)
    assert placed.model.inputs[0].is_hinted
    assert placed.scorer()([column]).predictions.to_pylist() == expected
