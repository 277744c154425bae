"""What MLflow's own tests of `spark_udf` demand, of `score_udf`: docs/parity.md lists them all."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType, Map, Object, Property
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, StringType
from structlog.testing import capture_logs

from sparkscore.errors import ConfigError, ModelError, PredictError, SignatureError
from sparkscore.scoring.score_udf import ScoreUdf, score_udf
from tests import world
from tests.model.shelf import Answers, Returns, Shelf, columns, signature, tensor
from tests.warm_daemon import MORE

BIG = 2**53 + 1


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """Most models here are MLflow's own kind, which workers load by MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


@pytest.fixture
def numbers(spark: SparkSession) -> DataFrame:
    """Two rows in one partition: a is 1 and 2, b ten times as much."""
    return spark.createDataFrame([(1, 10), (2, 20)], "a long, b long").coalesce(1)


Made = Callable[..., ScoreUdf]


@pytest.fixture
def made(spark: SparkSession, shelf: Shelf, request: pytest.FixtureRequest) -> Made:
    """A model that answers with a function of its features, as `score_udf` makes it."""

    def make(answer: Callable[..., Any], signed: ModelSignature | None = None, *wish: Any, **more: Any) -> ScoreUdf:
        kind = Returns if signed is not None and signed.params else Answers
        uri = shelf.put(request.node.name[:60].replace("[", "-").rstrip("]"), kind(answer), signed)
        return score_udf(spark, uri, *wish, tracking_uri=shelf.uri, **more)

    return make


def values(frame: DataFrame, column: Any) -> list[Any]:
    """The column's values, structs as dicts."""
    found = [row["p"] for row in frame.select(column.alias("p")).collect()]
    return [one.asDict(recursive=True) if hasattr(one, "asDict") else one for one in found]


def repeat(value: Any) -> Callable[[Any], list[Any]]:
    """The same answer for each row."""
    return lambda frame: [value] * len(frame)


OUTPUTS = ModelSignature(outputs=Schema([ColSpec("double")]))
LONG = Schema([ColSpec("long")])


class TestResultTypes:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("int", 1),
            ("long", 1),
            ("float", 1.0),
            ("double", 1.0),
            ("string", "x"),
            ("bool", True),
            ("array<int>", [1]),
            ("array<long>", [1, BIG]),
            ("array<double>", [1.0, float(BIG), 0.1, 0.2]),
            ("array<string>", ["x", "1", str(BIG), "0.10000000149011612", "0.2", "True"]),
            ("array<boolean>", [True]),
            (ArrayType(DoubleType()), [1.0, float(BIG), 0.1, 0.2]),
        ],
    )
    def test_the_leftmost_column_that_fits_or_all_of_them(
        self, spark: SparkSession, shelf: Shelf, numbers: DataFrame, kind: Any, expected: Any
    ) -> None:
        types = {"t": "x", "i": np.int32(1), "l": BIG, "f": np.float32(0.1), "d": 0.2, "b": True}

        def answer(frame: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({name: np.array([value] * len(frame)) for name, value in types.items()})

        if "constants" not in [one.name for one in shelf.client.search_registered_models()]:
            shelf.put("constants", Answers(answer), None)
        predict = score_udf(spark, "models:/constants/1", kind, tracking_uri=shelf.uri)
        found = values(numbers, predict("a", "b"))[0]
        assert found == (pytest.approx(expected) if "double" in str(kind).lower() else expected)
        assert type(found) is type(expected)

    def test_text_of_a_struct(self, made: Made, numbers: DataFrame) -> None:
        def answer(frame: pd.DataFrame) -> Mapping[str, Any]:
            n = len(frame)
            return {
                "r1": [1] * n,
                "r2": [1.5] * n,
                "r3": [[1, 2]] * n,
                "r4": [np.array([1.5, 2.5])] * n,
                "r5": np.vstack([np.array([1.5, 2.5])] * n),
                "r6": [True] * n,
                "r7": ["abc"] * n,
            }

        kind = "r1 int, r2 float, r3 array<long>, r4 array<double>, r5 array<double>, r6 boolean, r7 string"
        assert values(numbers, made(answer, None, kind)("a"))[1] == {
            "r1": 1, "r2": 1.5, "r3": [1, 2], "r4": [1.5, 2.5], "r5": [1.5, 2.5], "r6": True, "r7": "abc"
        }  # fmt: skip

    def test_lists_of_structs_from_tuples_and_structs_in_structs(self, made: Made, numbers: DataFrame) -> None:
        answer = repeat({"all": [("x", 0, 0.5, True)], "one": {"n": 1, "deep": {"t": "y"}}})
        kind = (
            "all array<struct<t: string, i: int, d: double, b: boolean>>, one struct<n: long, deep: struct<t: string>>"
        )
        assert values(numbers, made(answer, None, kind)("a"))[0] == {
            "all": [{"t": "x", "i": 0, "d": 0.5, "b": True}],
            "one": {"n": 1, "deep": {"t": "y"}},
        }

    @pytest.mark.slow
    def test_a_list_of_structs_alone(self, made: Made, numbers: DataFrame) -> None:
        predict = made(repeat([("x", 1)]), None, "array<struct<t: string, n: long>>")
        assert numbers.select(predict("a").alias("p")).first() == ([("x", 1)],)

    def test_null_lists_and_nan_in_lists(self, made: Made, numbers: DataFrame) -> None:
        answers = [np.array([1.0, np.nan]), None, np.nan]

        def answer(frame: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"a": answers[: len(frame)]})

        predict = made(answer, None, "a array<double>")
        three = numbers.union(numbers.limit(1)).coalesce(1)
        assert values(three, predict("a")) == [{"a": [1.0, None]}, {"a": None}, {"a": None}]

    @pytest.mark.slow
    def test_types_of_results_that_mlflow_refuses(self, made: Made, numbers: DataFrame) -> None:
        noon = pd.Timestamp("2020-01-02 12:00")
        predict = made(
            repeat({"t": noon, "all": [noon], "b": b"x"}), None, "t timestamp, all array<timestamp>, b binary"
        )
        clock = noon.to_pydatetime()
        assert values(numbers, predict("a"))[0] == {"t": clock, "all": [clock], "b": b"x"}

    @pytest.mark.slow
    def test_maps(self, made: Made, numbers: DataFrame) -> None:
        predict = made(repeat({"x": 1.0, "y": None}), None, "map<string, double>")
        assert values(numbers, predict("a"))[0] == {"x": 1.0, "y": None}

    def test_without_a_type_and_without_outputs_it_is_double(self, made: Made, numbers: DataFrame) -> None:
        with capture_logs() as logs:
            predict = made(lambda frame: frame["0"] * 2)
        assert values(numbers, predict("a")) == [2.0, 4.0]
        assert "no result_type is given: predictions are double" in logs[-1]["event"]

    @pytest.mark.slow
    def test_what_the_caller_asks_for_goes_before_the_signature(self, made: Made, numbers: DataFrame) -> None:
        signed = signature(columns(a="long"), tensor("float64"))
        assert values(numbers, made(lambda frame: frame["a"] + 0.5, signed, "string")("a")) == ["1.5", "2.5"]

    @pytest.mark.parametrize("kind", ["nothing at all", "array<", "interval", 7])
    def test_what_is_no_type_is_refused_on_the_driver(self, spark: SparkSession, shelf: Shelf, kind: Any) -> None:
        with pytest.raises(ConfigError, match="result_type"):
            score_udf(spark, "models:/nobody/1", kind, tracking_uri=shelf.uri)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("answer", "kind", "found"),
        [
            (repeat(1.5), "long", "numbers that no int64 holds"),
            (repeat(2**40), "int", "numbers that no int32 holds"),
            (repeat(1e300), "float", "numbers beyond the range of float"),
            (
                lambda frame: {"x": ["t"] * len(frame), "y": ["u"] * len(frame)},
                "double",
                "columns x, y, none of a type",
            ),
            (lambda frame: [1.0] * (len(frame) - 1), "double", "1 predictions"),
            (repeat("t"), "boolean", "values of type string"),
        ],
    )
    def test_what_does_not_fit_is_an_error_of_ours(
        self, made: Made, numbers: DataFrame, answer: Any, kind: str, found: str
    ) -> None:
        predict = made(answer, None, kind)
        with pytest.raises(Exception, match="Python") as caught:
            values(numbers, predict("a"))
        error = predict.recover_error(caught.value)
        assert type(error) is PredictError
        assert found in error.found
        assert "as result_type says" in error.expected


class TestTypesOfTheSignature:
    def test_tensors_of_rows_in_a_struct(self, made: Made, numbers: DataFrame) -> None:
        grid = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]

        def answer(frame: pd.DataFrame) -> Mapping[str, Any]:
            n = len(frame)
            return {
                "r1": [[1, 2]] * n,
                "r2": [np.array([1.5, 2.5])] * n,
                "r3": np.vstack([np.array([1.5, 2.5])] * n),
                "r4": [np.array(grid)] * n,
                "r5": np.array([grid] * n),
            }

        shapes = {"r1": ("int64", (2,)), "r2": ("float64", (2,)), "r3": ("float64", (2,)), "r4": ("float64", (2, 3)),
                  "r5": ("float64", (-1, 2, 3))}  # fmt: skip
        outputs = Schema([TensorSpec(np.dtype(kind), shape, name) for name, (kind, shape) in shapes.items()])
        predict = made(answer, ModelSignature(LONG, outputs))
        assert predict.returnType.simpleString() == (
            "struct<r1:array<bigint>,r2:array<double>,r3:array<double>,r4:array<array<double>>,r5:array<array<double>>>"
        )
        assert values(numbers, predict("a"))[1] == {
            "r1": [1, 2], "r2": [1.5, 2.5], "r3": [1.5, 2.5], "r4": grid, "r5": grid
        }  # fmt: skip

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("spec", "answer", "kind"),
        [
            (TensorSpec(np.dtype("int64"), (2,)), [1, 2], "array<bigint>"),
            (TensorSpec(np.dtype("float64"), (2, 3)), [[1.0, 2.0, 3.0]] * 2, "array<array<double>>"),
            (TensorSpec(np.dtype("float64"), (-1, 3)), [1.0, 2.0, 3.0], "array<double>"),
            (ColSpec("long"), 12, "bigint"),
        ],
    )
    def test_a_single_output(self, made: Made, numbers: DataFrame, spec: Any, answer: Any, kind: str) -> None:
        predict = made(repeat(answer), ModelSignature(LONG, Schema([spec])))
        assert predict.returnType.simpleString() == kind
        assert values(numbers, predict("a")) == [answer, answer]

    def test_nested_structs_and_lists_of_structs(self, spark: SparkSession, shelf: Shelf) -> None:
        schema = (
            "str string, arr array<int>, obj struct<bool: boolean, obj2: struct<str: string>>,"
            " obj_arr array<struct<double: double>>"
        )
        rows = [("a", [0], (True, ("some",)), [(0.1,)]), ("b", [1], (False, ("other",)), [(0.2,), (0.3,)])]
        frame = spark.createDataFrame(rows, schema).coalesce(1)
        uri = shelf.put("mirror", Answers(lambda frame: frame), infer_signature(frame, frame))
        predict = score_udf(spark, uri, tracking_uri=shelf.uri)
        found = frame.select(predict().alias("p"))
        assert [row["p"] for row in found.collect()] == frame.collect()
        assert [row["p"] for row in frame.select(predict(*frame.columns).alias("p")).collect()] == frame.collect()

    @pytest.mark.slow
    def test_an_array_of_objects_alone(self, made: Made, numbers: DataFrame) -> None:
        item = Array(Object([Property("n", DataType.long), Property("t", DataType.string)]))
        predict = made(repeat([{"n": BIG, "t": "x"}]), ModelSignature(LONG, Schema([ColSpec(item)])))
        assert numbers.select(predict("a").alias("p")).first() == ([(BIG, "x")],)

    @pytest.mark.slow
    def test_a_map_of_lists(self, made: Made, numbers: DataFrame) -> None:
        predict = made(repeat({"k": [0.5, None]}), ModelSignature(LONG, Schema([ColSpec(Map(Array(DataType.double)))])))
        assert values(numbers, predict("a"))[0] == {"k": [0.5, None]}


class TestCallsWithoutInputs:
    def test_columns_are_numbered_and_a_struct_names_them(self, made: Made, numbers: DataFrame) -> None:
        predict = made(lambda frame: [",".join(map(str, frame.columns))] * len(frame), None, StringType())
        assert predict.input_columns == ()
        assert values(numbers, predict("a"))[0] == "0"
        assert values(numbers, predict("b", "a"))[0] == "0,1"
        assert values(numbers, predict(F.struct("a", "b")))[0] == "a,b"
        with pytest.raises(SignatureError, match="0 columns"):
            predict()

    def test_values_come_in_their_own_types(self, made: Made, spark: SparkSession) -> None:
        frame = spark.sql(
            "SELECT 1 AS i, 1.5D AS d, 'x' AS t, array(1, 2) AS l, named_struct('k', 'v') AS s, DATE'2020-01-02' AS y,"
            " TIMESTAMP'2020-01-02 03:04:05' AS m"
        )

        def answer(frame: pd.DataFrame) -> list[str]:
            return [
                f"{r['0']} {r['1']} {r['2']} {r['3'].tolist()} {r['4']} {r['5']} {r['6']}" for _, r in frame.iterrows()
            ]

        predict = made(answer, None, "string")
        assert values(frame, predict(*frame.columns)) == ["1 1.5 x [1, 2] {'k': 'v'} 2020-01-02 2020-01-02 03:04:05"]

    @pytest.mark.slow
    def test_integers_beside_null_are_doubles_if_these_hold_them(self, made: Made, spark: SparkSession) -> None:
        predict = made(lambda frame: frame["0"].astype(str), None, "string")
        small = spark.createDataFrame([(1,), (None,)], "n long").coalesce(1)
        assert values(small, predict("n")) == ["1.0", "nan"]
        large = spark.createDataFrame([(BIG,), (None,)], "n long").coalesce(1)
        with pytest.raises(Exception, match="Python") as caught:
            values(large, predict("n"))
        assert "beyond 2^53 beside NULL" in str(predict.recover_error(caught.value))


class TestInputs:
    @pytest.mark.slow
    def test_a_tensor_comes_as_one_column_of_lists(self, made: Made, spark: SparkSession) -> None:
        frame = spark.createDataFrame([([1.0, 2.0, 3.0],), ([4.0, 5.0, 6.0],)], "v array<double>").coalesce(1)
        signed = signature(tensor("float64", 3), tensor("float64"))
        predict = made(lambda array: array @ np.array([100.0, 10.0, 1.0]), signed)
        assert values(frame, predict("v")) == [123.0, 456.0]
        assert values(frame, predict(*(F.col("v")[at] for at in range(3)))) == [123.0, 456.0]
        with pytest.raises(Exception, match="Python") as caught:
            values(frame, predict(F.slice("v", 1, 2)))
        assert "2 of 2 lists of a batch have not 3 items" in str(predict.recover_error(caught.value))

    @pytest.mark.slow
    def test_lists_structs_and_what_is_in_them(self, made: Made, spark: SparkSession) -> None:
        frame = spark.sql(
            "SELECT 'a' AS str, array(1, 2) AS arr, named_struct('bool', true) AS obj,"
            " array(named_struct('double', 0.1D)) AS obj_arr"
        )
        expected = ("a", [1, 2], {"bool": True}, [{"double": 0.1}])

        def answer(frame: pd.DataFrame) -> list[bool]:
            return [
                (row.iloc[0], list(row.iloc[1]), row.iloc[2], list(row.iloc[3])) == expected
                for _, row in frame.iterrows()
            ]

        signed = ModelSignature(infer_signature(frame).inputs, Schema([ColSpec("boolean")]))
        assert values(frame, made(answer, signed)(*frame.columns)) == [True]

    def test_all_types_of_columns(self, made: Made, spark: SparkSession) -> None:
        kinds = {"bool": "boolean", "int": "integer", "long": "long", "float": "float", "double": "double",
                 "str": "string", "binary": "binary", "datetime": "datetime"}  # fmt: skip
        frame = spark.sql(
            "SELECT true AS bool, 10 AS int, 20L AS long, 1.5F AS float, 2.5D AS double, 'abc' AS str,"
            " CAST('xyz' AS BINARY) AS binary, TIMESTAMP'2018-01-01 00:00:00' AS datetime"
        )
        expected = [True, 10, 20, 1.5, 2.5, "abc", b"xyz", pd.Timestamp("2018-01-01")]

        def answer(given: pd.DataFrame) -> pd.DataFrame:
            assert given.iloc[0].tolist() == expected
            return given[["int", "float"]]

        predict = made(answer, ModelSignature(columns(**kinds)), "int int, float float")
        assert values(frame, predict()) == [{"int": 10, "float": 1.5}]

    def test_dates_and_times_of_the_sessions_clock(self, made: Made, spark: SparkSession) -> None:
        session = spark.newSession()
        session.conf.set("spark.sql.session.timeZone", "America/New_York")
        frame = session.sql("SELECT TIMESTAMP'2020-01-02 03:04:05' AS t, DATE'2020-06-07' AS d")
        outputs = columns(text="string", t="datetime")

        def answer(frame: pd.DataFrame) -> Mapping[str, Any]:
            return {"text": frame["t"].astype(str) + " " + frame["d"].astype(str), "t": frame["t"]}

        predict = made(answer, ModelSignature(columns(t="datetime", d="datetime"), outputs))
        clock = datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the session's
        found = frame.select(predict().alias("p")).select("p.text", (F.col("p.t") == F.col("p.t")).alias("is"), "p.t")
        row = (
            frame.select(predict().alias("p"), "t").select("p.text", (F.col("p.t") == F.col("t")).alias("same")).first()
        )
        assert row == ("2020-01-02 03:04:05 2020-06-07", True)
        assert found.count() == 1
        assert clock.hour == 3

    @pytest.mark.slow
    def test_text_that_holds_a_number_is_cast_where_it_is_allowed(self, made: Made, spark: SparkSession) -> None:
        frame = spark.createDataFrame([("1.5",), (" 2 ",), (None,)], "x string").coalesce(1)
        signed = signature(columns(x="double"), tensor("float64"))
        predict = made(lambda frame: frame["x"] * 2, signed, casts={"x": "double"})
        assert values(frame, predict("x")) == [3.0, 4.0, None]
        with pytest.raises(Exception, match="Python") as caught:
            values(frame.select(F.lit("one").alias("x")), predict("x"))
        assert "that is no double" in str(predict.recover_error(caught.value))

    @pytest.mark.slow
    def test_decimals_whose_values_fit(self, made: Made, spark: SparkSession) -> None:
        frame = spark.sql("SELECT CAST(1.25 AS DECIMAL(30, 4)) AS x")
        predict = made(lambda frame: frame["x"] * 2, signature(columns(x="double"), tensor("float64")))
        assert values(frame, predict("x")) == [2.5]

    def test_an_empty_partition_reaches_no_model(self, made: Made, spark: SparkSession) -> None:
        def answer(frame: pd.DataFrame) -> Any:
            assert len(frame) > 0
            return frame["a"] + frame["b"]

        predict = made(answer, signature(columns(a="long", b="long"), tensor("int64")), "long")
        frame = spark.createDataFrame([(11, 21)], "x long, y long").repartition(2)
        assert values(frame, predict("x", "y")) == [32]
        assert values(frame, predict(F.struct(F.col("x").alias("a"), F.col("y").alias("b")))) == [32]


@pytest.mark.slow
class TestParams:
    PARAMS: Mapping[str, Any] = {
        "text": "a", "whole": np.int32(1), "yes": True, "double": 1.0, "float": np.float32(0.5), "long": 100,
        "list": np.array([1.0, 2.0]), "words": np.array(["a", "b"]),
    }  # fmt: skip

    def test_all_of_them_in_part_narrower_and_unknown_ones(
        self, spark: SparkSession, shelf: Shelf, numbers: DataFrame
    ) -> None:
        def answer(frame: pd.DataFrame, params: Mapping[str, Any]) -> list[str]:
            told = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in sorted(params.items())}
            return [str(told)] * len(frame)

        signed = infer_signature(pd.DataFrame({"a": [1]}), np.array(["text"]), params=dict(self.PARAMS))
        uri = shelf.put("params", Returns(answer), signed)
        default = {"double": 1.0, "float": 0.5, "list": [1.0, 2.0], "long": 100, "text": "a", "whole": 1,
                   "words": ["a", "b"], "yes": True}  # fmt: skip

        def told(params: Mapping[str, Any]) -> str:
            found = values(numbers, score_udf(spark, uri, params=params, tracking_uri=shelf.uri)("a"))
            return str(found[0])

        assert told(self.PARAMS) == str(default)
        given = {"long": np.int32(7), "double": 3, "list": np.array([5.0]), "text": "b"}
        assert told(given) == str(default | {"long": 7, "double": 3.0, "list": [5.0], "text": "b"})
        with capture_logs() as logs:
            assert told({"long": 8, "nobody": 1}) == str(default | {"long": 8})
        assert [one["event"] for one in logs if "nobody" in one["event"]] == [
            "params that the model's signature does not have are ignored: nobody; it has " + ", ".join(self.PARAMS)
        ]
        with pytest.raises(SignatureError, match="the param long is a str"):
            told({"long": "x"})

    def test_params_of_a_model_that_has_none_are_ignored(self, made: Made, numbers: DataFrame) -> None:
        predict = made(lambda frame: frame["0"], None, "double", params={"n": 1})
        assert values(numbers, predict("a")) == [1.0, 2.0]


class TestEnvironments:
    def test_extra_variables_reach_the_model_and_no_other(self, made: Made, numbers: DataFrame) -> None:
        def answer(frame: pd.DataFrame) -> list[str]:
            return [os.environ.get("SPECIAL_FOR_A_TEST", "none")] * len(frame)

        predict = made(answer, None, "string", extra_env={"SPECIAL_FOR_A_TEST": "x"})
        assert values(numbers, predict("a")) == ["x", "x"]
        plain = made(answer, None, "string")
        assert values(numbers, plain("a")) == ["none", "none"]
        assert "SPECIAL_FOR_A_TEST" not in os.environ

    @pytest.mark.slow
    def test_two_functions_of_one_model_have_each_their_own(
        self, spark: SparkSession, shelf: Shelf, numbers: DataFrame
    ) -> None:
        def answer(frame: pd.DataFrame) -> list[str]:
            return [os.environ["SPECIAL_FOR_A_TEST"]] * len(frame)

        uri = shelf.put("variables", Answers(answer), None)
        one, two = (
            score_udf(spark, uri, "string", extra_env={"SPECIAL_FOR_A_TEST": each}, tracking_uri=shelf.uri)
            for each in "12"
        )
        assert numbers.select(one("a"), two("a")).first() == ("1", "2")

    @pytest.mark.parametrize("manager", ["virtualenv", "conda", "uv", "local?"])
    def test_an_environment_that_workers_do_not_have_is_refused_with_the_way_out(
        self, spark: SparkSession, manager: str
    ) -> None:
        with pytest.raises(ConfigError, match=f"env_manager '{manager}'".replace("?", r"\?")) as caught:
            score_udf(spark, "models:/x/1", env_manager=manager)
        assert "sparkscore pack-env" in caught.value.do

    def test_local_is_what_there_is(self, made: Made, numbers: DataFrame) -> None:
        assert values(numbers, made(lambda frame: frame["0"], None, "double", "local")("a")) == [1.0, 2.0]

    @pytest.mark.slow
    def test_a_prebuilt_environment_is_one_that_the_session_was_started_with(
        self, spark: SparkSession, shelf: Shelf
    ) -> None:
        with pytest.raises(ConfigError, match=r"the session has no archive env\.tar\.gz"):
            score_udf(spark, "models:/x/1", prebuilt_env_uri="s3://bucket/env.tar.gz")
        session = spark.newSession()
        session.conf.set("spark.yarn.dist.archives", "hdfs://other/env.tar.gz#environment")
        uri = shelf.put("packed", Answers(lambda frame: frame["0"]), None)
        packed = score_udf(session, uri, "double", prebuilt_env_uri="s3://bucket/env.tar.gz", tracking_uri=shelf.uri)
        assert packed.returnType == DoubleType()

    @pytest.mark.parametrize("variables", [{"a=b": "x"}, {"": "x"}, {"a": 1}])
    def test_what_no_environment_can_have_is_refused(self, spark: SparkSession, variables: Any) -> None:
        with pytest.raises(ConfigError, match="extra_env"):
            score_udf(spark, "models:/x/1", extra_env=variables)


class Configured(PythonModel):
    """Answers with its configuration."""

    def load_context(self, context: Any) -> None:
        self.word = context.model_config["word"]

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        return [self.word] * len(model_input)


@pytest.mark.slow
class TestModelConfig:
    def test_it_goes_before_what_was_logged(
        self, spark: SparkSession, shelf: Shelf, numbers: DataFrame, tmp_path: Any
    ) -> None:
        uri = shelf.put("configured", Configured(), None, model_config={"word": "logged"})
        (tmp_path / "config.yaml").write_text("word: filed\n")
        for config, expected in (
            (None, "logged"),
            ({"word": "given"}, "given"),
            (tmp_path / "config.yaml", "filed"),
        ):
            predict = score_udf(spark, uri, "string", model_config=config, tracking_uri=shelf.uri)
            assert values(numbers, predict("a")) == [expected] * 2
        with pytest.raises(ModelError, match="nobody, which the model was not logged with"):
            score_udf(spark, uri, "string", model_config={"nobody": 1}, tracking_uri=shelf.uri)
        with pytest.raises(ConfigError, match="model_config"):
            score_udf(spark, uri, "string", model_config=tmp_path / "absent.yaml", tracking_uri=shelf.uri)


class TestLoggedModels:
    def test_by_run_and_by_id(self, spark: SparkSession, shelf: Shelf, numbers: DataFrame) -> None:
        with world.tracking(shelf.uri):
            shelf.put("experiment", Answers(len), None)
            (experiment,) = [one.experiment_id for one in shelf.client.search_experiments() if one.name == "tests"]
            with mlflow.start_run(experiment_id=experiment) as run:
                shelf.put("by-run", Answers(lambda frame: frame["0"] + 1), None)
        logged = shelf.client.search_logged_models([experiment])
        (model_id,) = [one.model_id for one in logged if one.source_run_id == run.info.run_id]
        with capture_logs() as logs:
            for named in (f"runs:/{run.info.run_id}/model", f"models:/{model_id}"):
                predict = score_udf(spark, named, "double", tracking_uri=shelf.uri)
                assert values(numbers, predict("a")) == [2.0, 3.0]
        assert sum("no registry names the model" in one["event"] for one in logs) == 2
