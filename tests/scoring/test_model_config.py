"""`model.config`: MLflow's own UDF drops what it is given for this on a cluster, here it arrives in the workers."""

from typing import Any

import cloudpickle
import pyarrow as pa
import pytest
from mlflow.pyfunc.model import PythonModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ModelError
from sparkscore.model.distribution.model_shipping import describe_shipped_model, ship_model
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.input_policies import allow_input_casts
from sparkscore.records import PinnedModel
from sparkscore.scoring.score_udf import ScoreUdf
from tests.model.shelf import Answers, Shelf, columns, signature, tensor

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests
SIGNED = signature(columns(x="double"), tensor("float64"))


class Scaled(PythonModel):
    """Multiplies by what it is configured with."""

    def load_context(self, context: Any) -> None:
        self.factor = context.model_config["factor"]

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        return model_input["x"] * self.factor + context.model_config["more"]["offset"]


@pytest.fixture(scope="module")
def scaled(shelf: Shelf) -> str:
    """The model, logged with a factor of 2 and an offset of 1."""
    return shelf.put("scaled", Scaled(), SIGNED, model_config={"factor": 2, "more": {"offset": 1}})


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    """One row: x is 5."""
    return spark.createDataFrame([(5.0,)], "x double")


def configured(shelf: Shelf, uri: str, config: dict[str, Any], *, runtime: str = "auto") -> PinnedModel:
    """The model as the driver pins it."""
    return resolve_model(uri, tracking_uri=shelf.uri, runtime=runtime, params={}, config=config, copies=shelf.copies)


def predicted(spark: SparkSession, frame: DataFrame, model: PinnedModel) -> Any:
    """What workers predict of the row."""
    predict = ScoreUdf(ship_model(spark, model, describe_shipped_model(model, params={})))
    return frame.select(predict(F.col("x")).alias("p")).collect()[0]["p"]


def test_a_configuration_reaches_the_model_in_the_workers_beside_one_with_another(
    spark: SparkSession, shelf: Shelf, scaled: str, frame: DataFrame
) -> None:
    assert [
        predicted(spark, frame, configured(shelf, scaled, config))
        for config in ({}, {"factor": 3}, {"factor": 3, "more": {"offset": 0}}, {})
    ] == [11.0, 16.0, 15.0, 11.0]


def test_a_name_that_the_model_was_not_logged_with_is_refused(shelf: Shelf, scaled: str) -> None:
    with pytest.raises(ModelError, match=r"model\.config names fctor, which the model was not logged with") as caught:
        configured(shelf, scaled, {"fctor": 3})
    assert caught.value.expected == "names of its model_config: factor, more"
    assert caught.value.exit_code == 4


def test_a_model_without_a_configuration_takes_none(shelf: Shelf) -> None:
    uri = shelf.put("unconfigured", Answers(lambda frame: frame["x"]), SIGNED)
    with pytest.raises(ModelError, match=r"model\.config names factor"):
        configured(shelf, uri, {"factor": 3})


def test_a_worker_that_holds_the_model_takes_the_inputs_of_each_job(
    spark: SparkSession, shelf: Shelf, frame: DataFrame
) -> None:
    uri = shelf.put("twice-asked", Answers(lambda frame: frame["x"]), signature(columns(x="float"), tensor("float32")))
    model = configured(shelf, uri, {})
    (one,) = model.inputs
    assert one.type == pa.float32()
    rounding = allow(model)
    assert predicted(spark, frame.select(F.col("x").cast("float")), model) == 5.0
    assert predicted(spark, frame, rounding) == 5.0


def allow(model: PinnedModel) -> PinnedModel:
    """The model with a cast that may lose digits."""
    return allow_input_casts(model, {"x": "float"})
