"""The models of the matrix that need no library of their own, in all ways, against MLflow itself."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression

from tests.model.pipelines import FLIGHTS, pipeline
from tests.model.shelf import Returns, Shelf, columns, signature, tensor
from tests.scoring.model_matrix import ModelCase, call_all_ways, documented_rows, table_row
from tests.warm_daemon import MORE

DOUBLES = pd.DataFrame({"x": [0.5, -1.0, 2.0, 3.5], "y": [1.0, 0.0, -1.0, 2.0]})
LATE = np.array([0, 1, 0, 1])
CODE = """
import mlflow
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["x"] + model_input["y"]
mlflow.models.set_model(Model())
"""


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


def from_code(shelf: Shelf) -> str:
    """A model whose files are its code."""
    file = Path(shelf.folder, "model_of_the_matrix.py")
    file.write_text(CODE)
    signed = signature(columns(x="double", y="double"), tensor("float64"))
    return shelf.logged("code", partial(mlflow.pyfunc.log_model, python_model=str(file)), signed)


def classifier(shelf: Shelf) -> str:
    """A classifier over doubles."""
    model = LogisticRegression().fit(DOUBLES, LATE)
    return shelf.put("classifier", model, infer_signature(DOUBLES, pd.DataFrame({"late": model.predict(DOUBLES)})))


def flights(shelf: Shelf) -> str:
    """A pipeline over text, integers and doubles with holes: its probabilities."""
    signed = signature(columns(carrier="string", hour="integer", distance="double"), tensor("float64", 2))
    return shelf.put("matrix-flights", pipeline(), signed, method="predict_proba")


def unsigned(shelf: Shelf) -> str:
    """A model without a signature."""
    return shelf.put("matrix-unsigned", Returns(lambda frame: frame.iloc[:, 0] * 2 + frame.iloc[:, 1]), None)


def several(shelf: Shelf) -> str:
    """A model of Python with several outputs."""

    def answer(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"sum": frame["x"] + frame["y"], "text": frame["x"].astype(str)})

    outputs = columns(sum="double", text="string")
    return shelf.put("matrix-several", Returns(answer), signature(columns(x="double", y="double"), outputs))


PAIR = "x double, y double"
CASES = (
    ModelCase("scikit-learn, doubles", classifier, DOUBLES, PAIR, "long"),
    ModelCase(
        "scikit-learn pipeline, text, integers and doubles",
        flights,
        FLIGHTS.head(20).astype({"hour": "int32"}),
        "carrier string, hour int, distance double",
    ),
    ModelCase("PythonModel without a signature, doubles", unsigned, DOUBLES, PAIR, "double"),
    ModelCase("PythonModel, a struct of outputs", several, DOUBLES, PAIR, "sum float, text string"),
    ModelCase("model from code, doubles", from_code, DOUBLES, PAIR, "string"),
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.name)
def test_the_page_says_what_becomes_of_each_way(spark: SparkSession, shelf: Shelf, case: ModelCase) -> None:
    assert table_row(case, call_all_ways(spark, shelf, case)) == documented_rows()[case.name]


def test_the_page_says_what_becomes_of_a_classifier_in_all_ways(spark: SparkSession, shelf: Shelf) -> None:
    case = CASES[0]
    assert table_row(case, call_all_ways(spark, shelf, case)) == documented_rows()[case.name]
    assert "MLflow only" not in "".join(documented_rows().values())
