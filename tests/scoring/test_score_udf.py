import ast
import inspect
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import spark_udf
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array, DataType, Object, Property
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType
from structlog.testing import capture_logs

import sparkscore
from sparkscore.errors import (
    ConfigError,
    InputOutOfRange,
    ModelNotFound,
    SignatureError,
    TrustRefused,
)
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF
from sparkscore.scoring import score_udf as room
from sparkscore.scoring.score_udf import ScoreUdf, score_udf
from sparkscore.scoring.task_errors import recover_task_error
from tests import world
from tests.model.pipelines import FLIGHTS, pipeline
from tests.model.shelf import Answers, Shelf, Sums, columns, positions, signature, tensor

BIG = 2**53 + 1


@pytest.fixture(scope="module")
def minus(shelf: Shelf) -> str:
    """A model that takes b from a: the order of its inputs can be seen."""
    model = Answers(lambda frame: frame["a"] - frame["b"])
    return shelf.put("minus", model, signature(columns(a="double", b="double"), tensor("float64")))


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    """One row: a is 5, b is 3."""
    return spark.createDataFrame([(5.0, 3.0)], "a double, b double")


def made(spark: SparkSession, shelf: Shelf, uri: str, **more: Any) -> ScoreUdf:
    return score_udf(spark, uri, tracking_uri=shelf.uri, **more)


def only(frame: DataFrame, column: Any) -> Any:
    """The value of the column in the only row."""
    rows = frame.select(column.alias("p")).collect()
    assert len(rows) == 1
    return rows[0]["p"]


class TestTrust:
    def test_it_obeys_what_it_is_told_to_trust(self, spark: SparkSession, shelf: Shelf, minus: str) -> None:
        with pytest.raises(TrustRefused, match="a pickle when it is loaded"):
            made(spark, shelf, minus, trust={"pickle": "refuse"})
        with pytest.raises(TrustRefused, match="none is listed"):
            made(spark, shelf, minus, trust={"profile": "strict"})
        with pytest.raises(ConfigError, match="trust: unknown setting pickles"):
            made(spark, shelf, minus, trust={"pickles": "refuse"})

    def test_it_warns_of_a_pickle_once_on_the_driver(self, spark: SparkSession, shelf: Shelf, minus: str) -> None:
        with capture_logs() as logs:
            made(spark, shelf, minus)
        assert [one["log_level"] for one in logs if "model.trust.pickle" in one["event"]] == ["warning"]
        with capture_logs() as logs:
            made(spark, shelf, minus, trust={"pickle": "allow"})
        assert not logs


class TestCalling:
    def test_it_is_part_of_the_package(self) -> None:
        assert sparkscore.score_udf is score_udf

    def test_columns_by_name_by_column_and_by_default(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = made(spark, shelf, minus)
        assert predict.input_columns == ("a", "b")
        assert only(frame, predict(*predict.input_columns)) == 2.0
        assert only(frame, predict()) == 2.0
        assert only(frame, predict(F.col("b"), frame["a"] + 1)) == -3.0

    def test_a_column_that_the_frame_lacks_is_sparks_error(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        with pytest.raises(AnalysisException, match="`b`"):
            frame.drop("b").select(made(spark, shelf, minus)())

    def test_a_struct_is_taken_by_the_names_of_its_fields(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = made(spark, shelf, minus)
        assert only(frame, predict(F.struct("a", "b"))) == 2.0
        assert only(frame, predict(F.struct("b", "a", F.lit("more").alias("c")))) == 2.0
        assert only(frame.select(F.struct("b", "a").alias("both")), predict("both")) == 2.0

    def test_positions_are_taken_in_order(self, spark: SparkSession, shelf: Shelf, frame: DataFrame) -> None:
        model = Answers(lambda frame: frame[0] - frame[1])
        predict = made(
            spark, shelf, shelf.put("places", model, signature(positions("double", "double"), tensor("float64")))
        )
        assert predict.input_columns == ("0", "1")
        assert only(frame, predict("b", "a")) == -2.0
        assert only(frame, predict(F.struct("b", "a"))) == -2.0
        with pytest.raises(SignatureError, match="0 columns"):
            predict()

    def test_names_may_hold_anything(self, spark: SparkSession, shelf: Shelf) -> None:
        odd = ["a b", "c.d", "e`f"]
        predict = made(
            spark,
            shelf,
            shelf.put("odd", Sums(), signature(columns(**dict.fromkeys(odd, "double")), tensor("float64"))),
        )
        assert only(spark.createDataFrame([(1.0, 2.0, 4.0)], odd), predict(*predict.input_columns)) == 7.0

    def test_further_columns_are_ignored_with_a_warning(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = made(spark, shelf, minus, trust={"pickle": "allow"})
        with capture_logs() as logs:
            assert only(frame, predict("a", "b", "a", "b")) == 2.0
        assert [one["event"] for one in logs] == [
            "score_udf was called with 4 columns, and the model takes 2 (a, b): the further ones are ignored"
        ]

    def test_too_few_columns_are_refused_when_called(self, spark: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put("three", Sums(), signature(columns(a="double", b="double", c="double"), tensor("float64")))
        with pytest.raises(SignatureError, match="2 columns") as caught:
            made(spark, shelf, uri)("a", "b")
        assert caught.value.expected == "3: a, b, c; or one struct of them"

    def test_optional_inputs_at_the_end_may_be_left_out(
        self, spark: SparkSession, shelf: Shelf, frame: DataFrame
    ) -> None:
        model = Answers(lambda frame: frame["a"] + frame["y"].fillna(10) + frame["z"].fillna(100))
        inputs = columns(a="double", y="double?", z="double?")
        predict = made(spark, shelf, shelf.put("short", model, signature(inputs, tensor("float64"))))
        assert only(frame, predict("a")) == 115.0
        assert only(frame, predict("a", "b")) == 108.0

    def test_one_column_that_is_no_struct_is_refused_on_the_driver_with_the_cure(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = made(spark, shelf, minus)
        with pytest.raises(AnalysisException, match=r"score_udf takes 2 columns \(a, b\), or one struct of them"):
            frame.select(predict("a"))
        assert only(frame.select(F.struct("a", "b").alias("s")), predict("s")) == 2.0

    def test_so_it_is_where_the_inputs_have_no_names(self, spark: SparkSession, shelf: Shelf, frame: DataFrame) -> None:
        answer = Answers(lambda array: array[:, 0] - array[:, 1])
        uri = shelf.put("unnamed", answer, signature(tensor("float64", 2), tensor("float64")))
        predict = made(spark, shelf, uri)
        with pytest.raises(AnalysisException, match=r"score_udf takes 2 columns \(0, 1\), or one struct of them"):
            frame.select(predict("a"))
        assert only(frame, predict(F.struct("a", "b"))) == 2.0

    def test_a_struct_without_an_input_fails_with_its_name(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = made(spark, shelf, minus)
        with pytest.raises(Exception, match="Python") as caught:
            only(frame, predict(F.struct("a", F.lit(1.0).alias("B"))))
        error = recover_task_error(caught.value, predict._model.secret)
        assert isinstance(error, SignatureError)
        assert error.found == "a struct with the fields a, B, without b"

    def test_a_cast_that_loses_digits_is_allowed_by_name(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        predict = score_udf(spark, minus, tracking_uri=shelf.uri, casts={"a": "double"})
        assert only(frame, predict(F.lit(2**60 + 1), F.lit(1.0))) == 2.0**60 - 1

    def test_a_list_whose_numbers_would_become_infinite_is_refused(
        self, spark: SparkSession, shelf: Shelf, frame: DataFrame
    ) -> None:
        inputs = Schema([ColSpec(Array(DataType.float), "v")])
        uri = shelf.put(
            "lists", Answers(lambda frame: [v[0] for v in frame["v"]]), signature(inputs, tensor("float64"))
        )
        predict = made(spark, shelf, uri)
        with pytest.raises(Exception, match="Python") as caught:
            only(frame, predict(F.array(F.lit(1e300))))
        assert isinstance(recover_task_error(caught.value, predict._model.secret), InputOutOfRange)

    def test_an_optional_input_may_be_left_out_of_a_struct(
        self, spark: SparkSession, shelf: Shelf, frame: DataFrame
    ) -> None:
        model = Answers(lambda frame: frame["a"].fillna(0) + frame["z"].fillna(10))
        uri = shelf.put("lenient", model, signature(columns(a="double", z="double?"), tensor("float64")))
        assert only(frame, made(spark, shelf, uri)(F.struct("a"))) == 15.0

    def test_a_struct_may_be_the_value_of_the_only_input(
        self, spark: SparkSession, shelf: Shelf, frame: DataFrame
    ) -> None:
        inputs = Schema([ColSpec(Object([Property("a", DataType.double), Property("b", DataType.double)]), "point")])
        uri = shelf.put(
            "point",
            Answers(lambda frame: [p["a"] * p["b"] for p in frame["point"]]),
            signature(inputs, tensor("float64")),
        )
        assert only(frame, made(spark, shelf, uri)(F.struct("b", "a"))) == 15.0

    def test_sql_can_call_it(self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame) -> None:
        spark.udf.register("minus", made(spark, shelf, minus))
        frame.createOrReplaceTempView("minuends")
        assert spark.sql("SELECT minus(a, b) + minus(b, a) + minus(b, a) AS p FROM minuends").first() == (-2.0,)

    def test_it_can_be_kept_from_the_optimiser(
        self, spark: SparkSession, shelf: Shelf, minus: str, frame: DataFrame
    ) -> None:
        assert made(spark, shelf, minus).deterministic
        predict = made(spark, shelf, minus).asNondeterministic()
        assert not predict.deterministic
        assert only(frame, predict()) == 2.0


class TestResults:
    def test_arrays(self, spark: SparkSession, shelf: Shelf, frame: DataFrame) -> None:
        uri = shelf.put(
            "pair",
            Answers(lambda frame: frame.to_numpy()),
            signature(columns(a="double", b="double"), tensor("float64", 2)),
        )
        predict = made(spark, shelf, uri)
        assert predict.returnType == ArrayType(DoubleType())
        assert only(frame, predict()) == [5.0, 3.0]

    def test_structs(self, spark: SparkSession, shelf: Shelf, frame: DataFrame) -> None:
        answer = Answers(lambda frame: {"sum": frame["a"] + frame["b"], "text": ["x"]})
        uri = shelf.put(
            "facts", answer, signature(columns(a="double", b="double"), columns(sum="double", text="string"))
        )
        predict = made(spark, shelf, uri)
        assert predict.returnType.simpleString() == "struct<sum:double,text:string>"
        assert only(frame, predict()["sum"]) == 8.0

    def test_structs_in_structs_and_in_lists(self, spark: SparkSession, shelf: Shelf, frame: DataFrame) -> None:
        inner = Object([Property("t", DataType.datetime), Property("n", DataType.long)])
        answer = Answers(
            lambda frame: [
                {"one": {"t": pd.Timestamp("2013-06-30 12:00"), "n": 2**53 + 1}, "all": [{"t": None, "n": 2}]}
                for _ in range(len(frame))
            ]
        )
        outputs = Schema([ColSpec(inner, "one"), ColSpec(Array(inner), "all")])
        predict = made(spark, shelf, shelf.put("deep", answer, signature(columns(a="double"), outputs)))
        assert predict.returnType.simpleString() == (
            "struct<one:struct<n:bigint,t:timestamp>,all:array<struct<n:bigint,t:timestamp>>>"
        )
        assert only(frame, predict()) == ((BIG, datetime(2013, 6, 30, 12)), [(2, None)])  # noqa: DTZ001  the session's

    def test_it_gives_what_mlflows_own_function_gives(self, spark: SparkSession, shelf: Shelf) -> None:
        signed = signature(columns(carrier="string", hour="integer", distance="double"), tensor("float64", 2))
        uri = shelf.put("flights", pipeline(), signed, method="predict_proba")
        frame = spark.createDataFrame(FLIGHTS.astype({"hour": "int32"})).coalesce(1)
        with world.tracking(shelf.uri):
            theirs = frame.select(
                spark_udf(spark, uri, result_type="array<double>")(*FLIGHTS.columns).alias("p")
            ).toPandas()["p"]
        ours = frame.select(made(spark, shelf, uri)().alias("p")).toPandas()["p"]
        assert np.array(ours.tolist()).tobytes() == np.array(theirs.tolist()).tobytes()


class TestIntegers:
    def test_they_are_exact_beside_null_in_a_session_with_default_settings(
        self, spark: SparkSession, shelf: Shelf
    ) -> None:
        assert spark.conf.get(NULLABLE_INTEGERS_CONF) == "false"
        predict = made(spark, shelf, shelf.put("exact", Sums(), signature(columns(n="long?"), tensor("int64"))))
        frame = spark.createDataFrame([(BIG,), (None,)], "n long").coalesce(1)
        assert [row["p"] for row in frame.select(predict("n").alias("p")).collect()] == [BIG, None]
        assert [row["p"] for row in frame.select(predict(F.struct("n")).alias("p")).collect()] == [BIG, None]


class TestRefusals:
    def test_an_unknown_model(self, spark: SparkSession, shelf: Shelf) -> None:
        with pytest.raises(ModelNotFound):
            made(spark, shelf, "models:/nobody@champion")

    def test_spark_connect_is_not_imported_to_see_that(self) -> None:
        modules = [
            node.module for node in ast.walk(ast.parse(inspect.getsource(room))) if isinstance(node, ast.ImportFrom)
        ]
        assert not [name for name in modules if name and "connect" in name]


def test_copies_lie_in_one_private_folder_of_the_process() -> None:
    assert room._temporary_copies_folder() == room._temporary_copies_folder()
    assert Path(room._temporary_copies_folder()).stat().st_mode & 0o777 == 0o700


def test_rows_that_the_model_itself_rejects_are_null(spark: SparkSession, shelf: Shelf) -> None:
    def answer(frame: pd.DataFrame) -> Any:
        from sparkscore import RowReject, ScoredRows

        rejects = {place: RowReject("odd") for place, value in enumerate(frame["a"]) if value % 2}
        return ScoredRows(frame["a"] * 2, rejects, {"calls": 1})

    uri = shelf.put("odd", Answers(answer), signature(columns(a="double"), tensor("float64")))
    frame = spark.createDataFrame([(1.0,), (2.0,)], "a double")
    rows = frame.select("a", made(spark, shelf, uri)("a").alias("p")).collect()
    assert {row["a"]: row["p"] for row in rows} == {1.0: None, 2.0: 4.0}
