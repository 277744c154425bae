import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import DigestMismatch, RowsNotPredicted, SignatureError, SparkscoreError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.pandas_udf_transport import score_with_pandas_udf
from sparkscore.scoring.prediction_udf import make_prediction_udf
from sparkscore.scoring.task_errors import recover_task_error
from tests.model.pipelines import FLIGHTS, pipeline
from tests.model.shelf import Answers, Returns, Shelf, Sums, columns, loads_in, positions, signature, tensor
from tests.warm_daemon import MORE

BIG = 2**53 + 1
pytestmark = pytest.mark.usefixtures("workers_with_mlflow")
DOUBLE = signature(columns(x="double"), tensor("float64"))


@pytest.fixture(scope="module")
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """Many of the models here are MLflow's own kind, which workers load by MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    """A session as a run has it."""
    own = spark.newSession()
    own.conf.set("spark.sql.session.timeZone", "UTC")
    own.conf.set(NULLABLE_INTEGERS_CONF, "true")
    return own


@pytest.fixture
def rows(session: SparkSession) -> DataFrame:
    """A hundred rows, x = id as a double, in two partitions."""
    return session.range(100, numPartitions=2).select("id", F.col("id").cast("double").alias("x"))


@pytest.fixture
def bare_workers(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python workers that have imported nothing yet: Spark keeps those of another environment apart."""
    monkeypatch.setitem(spark.sparkContext.environment, MORE, "none")


def predict(frame: DataFrame, shipped: Any, *names: str, **more: Any) -> DataFrame:
    return score_with_pandas_udf(frame, shipped, columns=names, counters=Counters(frame.sparkSession), **more)


def values(frame: DataFrame) -> list[Any]:
    return [row["prediction"] for row in frame.select("id", "prediction").collect()]


class TestLoads:
    def test_each_worker_process_loads_the_model_once(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame, tmp_path: Path
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("counted", Returns(lambda frame: frame["x"] * 2, tmp_path), DOUBLE))
        counters = Counters(session)
        sixteen = score_with_pandas_udf(rows.repartition(16), shipped, columns=["x"], counters=counters)
        assert sixteen.agg(F.sum("prediction")).first() == (9900.0,)
        pids = loads_in(tmp_path)
        assert len(pids) == len(set(pids)) == counters.loads <= 2
        assert counters.rows == 100

    def test_the_model_outlives_a_job(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame, tmp_path: Path
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("stays", Returns(lambda frame: frame["x"], tmp_path), DOUBLE))
        for _ in range(3):
            assert values(predict(rows, shipped, "x"))[-1] == 99.0
        pids = loads_in(tmp_path)
        assert len(pids) == len(set(pids))

    def test_no_rows_load_nothing(self, session: SparkSession, shelf: Shelf, rows: DataFrame, tmp_path: Path) -> None:
        shipped = shelf.shipped(session, shelf.put("idle", Returns(lambda frame: frame["x"], tmp_path), DOUBLE))
        assert values(predict(rows.where("id < 0"), shipped, "x")) == []
        assert values(predict(rows.where("id < 2"), shipped, "x", keep=F.col("id") > 5)) == [None, None]
        assert loads_in(tmp_path) == []

    @pytest.mark.usefixtures("bare_workers")
    def test_a_worker_of_the_sklearn_runtime_imports_nothing_else(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        def imported(frame: pd.DataFrame) -> list[str]:
            import sys

            return [" ".join(sys.modules)] * len(frame)

        shipped = shelf.shipped(
            session, shelf.put("imports", Answers(imported), signature(columns(x="double"), tensor("str")))
        )
        assert shipped.runtime == "sklearn"
        modules = set(values(predict(rows.where("id = 0"), shipped, "x"))[0].split())
        assert {"pandas", "pyarrow", "sparkscore.scoring.kernel"} <= modules
        unwanted = {"mlflow", "pydantic", "structlog", "yaml", "tenacity", "sparkscore.settings"}
        assert modules & unwanted == set()

    def test_numerical_libraries_use_the_tasks_cores(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            monkeypatch.setitem(session.sparkContext.environment, name, "2")  # workers of their own, too

        def threads(frame: pd.DataFrame) -> list[int]:
            most = max(library["num_threads"] for library in import_module("threadpoolctl").threadpool_info())
            return [max(most, int(os.environ["OMP_NUM_THREADS"]))] * len(frame)

        uri = shelf.put("threads", Answers(threads), signature(columns(x="double"), tensor("int64")))
        assert set(values(predict(rows, shelf.shipped(session, uri), "x"))) == {1}


class TestValues:
    def test_the_frame_keeps_its_columns_and_its_rows(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("twice", Answers(lambda frame: frame["x"] * 2), DOUBLE))
        before = rows.schema
        frame = predict(rows, shipped, "x")
        assert frame.columns == ["id", "x", "prediction", "_reject"]
        assert all(row["prediction"] == row["id"] * 2 for row in frame.collect())
        assert rows.schema == before

    def test_names_may_hold_anything(self, session: SparkSession, shelf: Shelf) -> None:
        names = ["a b", "c.d", "e`f", "g'h;"]
        frame = session.createDataFrame([(1, 1.0, 2.0, 4.0, 8.0)], ["id", *names])
        uri = shelf.put("names", Sums(), signature(columns(**dict.fromkeys(names, "double")), tensor("float64")))
        assert values(predict(frame, shelf.shipped(session, uri), *names)) == [15.0]

    def test_positions_take_the_columns_in_order(self, session: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put(
            "places",
            Answers(lambda frame: frame[0] - frame[1]),
            signature(positions("double", "double"), tensor("float64")),
        )
        frame = session.createDataFrame([(1, 5.0, 3.0)], "id long, a double, b double")
        shipped = shelf.shipped(session, uri)
        assert values(predict(frame, shipped, "a", "b")) == [2.0]
        assert values(predict(frame, shipped, "b", "a")) == [-2.0]

    def test_a_tensor_takes_the_columns_as_one_array(self, session: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put(
            "array",
            Answers(lambda array: array @ np.array([1, 10], np.float32)),
            signature(tensor("float32", 2), tensor("float32")),
        )
        frame = session.createDataFrame([(1, 5.0, 3.0)], "id long, a float, b float")
        assert values(predict(frame, shelf.shipped(session, uri), "a", "b")) == [35.0]

    @pytest.mark.parametrize("runtime", ["sklearn", "pyfunc"])
    def test_integers_beyond_double_precision_are_exact(
        self, session: SparkSession, shelf: Shelf, runtime: str
    ) -> None:
        uri = shelf.put(f"big-{runtime}", Sums(), signature(columns(n="long"), tensor("int64")))
        frame = session.createDataFrame([(1, BIG), (2, -BIG), (3, None)], "id long, n long").coalesce(1)
        shipped = shelf.shipped(session, uri, runtime=runtime)
        assert values(predict(frame, shipped, "n", keep=F.col("n").isNotNull())) == [BIG, -BIG, None]

    def test_optional_integers_beside_null_are_exact(self, session: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put("optional", Sums(), signature(columns(n="long?"), tensor("int64")))
        frame = session.createDataFrame([(1, BIG), (2, None), (3, -BIG)], "id long, n long").coalesce(1)
        assert values(predict(frame, shelf.shipped(session, uri), "n")) == [BIG, None, -BIG]

    def test_every_scalar_type_comes_back_as_it_went(self, session: SparkSession, shelf: Shelf) -> None:
        kinds = {
            "boolean": "true",
            "integer": "2147483647",
            "long": str(BIG),
            "float": "0.1",
            "double": "0.1",
            "string": "'é'",
            "binary": "x'00ff'",
            "datetime": "timestamp'2013-12-31 23:59:59.123456'",
        }
        same = columns(**{kind: kind for kind in kinds})
        uri = shelf.put("echo", Returns(lambda frame: frame), signature(same, same))
        literals = [
            f"cast({literal} AS {'timestamp' if kind == 'datetime' else kind}) `{kind}`"
            for kind, literal in kinds.items()
        ]
        frame = session.sql(f"SELECT 1L id, {', '.join(literals)}")
        row = predict(frame, shelf.shipped(session, uri), *kinds).collect()[0]
        assert row["prediction"].asDict() == {kind: row[kind] for kind in kinds}

    def test_times_are_the_sessions_local_ones_both_ways(self, spark: SparkSession, shelf: Shelf) -> None:
        session = spark.newSession()
        session.conf.set("spark.sql.session.timeZone", "America/New_York")
        uri = shelf.put(
            "local",
            Returns(lambda frame: frame["t"].where(frame["t"].dt.hour == 12)),
            signature(columns(t="datetime"), columns(p="datetime")),
        )
        frame = session.sql("SELECT 1L id, timestamp'2013-06-30 12:00:00' t")
        row = predict(frame, shelf.shipped(session, uri), "t").collect()[0]
        assert row["prediction"] == row["t"]

    def test_nan_comes_back_as_null(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        uri = shelf.put("nan", Answers(lambda frame: frame["x"].where(frame["x"] > 0)), DOUBLE)
        assert values(predict(rows.where("id < 2"), shelf.shipped(session, uri), "x")) == [None, 1.0]

    def test_lists_structs_and_lists_of_lists(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        two = rows.where("id in (0, 3)")
        uri = shelf.put(
            "lists",
            Answers(lambda frame: frame[["x", "x"]].to_numpy()),
            signature(columns(x="double"), tensor("float64", 2)),
        )
        assert values(predict(two, shelf.shipped(session, uri), "x")) == [[0.0, 0.0], [3.0, 3.0]]
        uri = shelf.put(
            "deep",
            Answers(lambda frame: np.ones((len(frame), 2, 1))),
            signature(columns(x="double"), tensor("float64", 2, 1)),
        )
        assert values(predict(two, shelf.shipped(session, uri), "x")) == [[[1.0], [1.0]], [[1.0], [1.0]]]
        answer = Answers(lambda frame: pd.DataFrame({"l": frame["x"].astype(str), "p": frame["x"]}))
        uri = shelf.put("structs", answer, signature(columns(x="double"), columns(p="double", l="string")))
        frame = predict(two, shelf.shipped(session, uri), "x", keep=F.col("id") > 0)
        assert frame.schema["prediction"].dataType.simpleString() == "struct<p:double,l:string>"
        assert values(frame) == [None, (3.0, "3.0")]

    def test_nested_inputs_arrive_as_mlflow_wants_them(self, session: SparkSession, shelf: Shelf) -> None:
        example = pd.DataFrame({"l": [[1.5, 2.5]], "s": [{"k": np.int32(4), "n": "a"}], "o": [[{"k": 1.0}]]})
        answer = Returns(
            lambda frame: [
                sum(a) + b["k"] + c[0]["k"] for a, b, c in zip(frame["l"], frame["s"], frame["o"], strict=True)
            ]
        )
        uri = shelf.put("nested", answer, infer_signature(example, np.zeros(1)))
        frame = session.sql(
            "SELECT 1L id, array(1.5D, 2.5D) l, named_struct('n', 'a', 'k', 4) s, array(named_struct('k', 1D)) o"
        )
        assert values(predict(frame, shelf.shipped(session, uri), "l", "s", "o")) == [9.0]

    def test_sklearn_itself_equals_mlflow_bit_for_bit(self, session: SparkSession, shelf: Shelf) -> None:
        signed = signature(columns(carrier="string", hour="long", distance="double"), tensor("float64", 2))
        uri = shelf.put("pipeline", pipeline(), signed, method="predict_proba")
        frame = session.createDataFrame(FLIGHTS.reset_index(names="id")).coalesce(1)
        results = [
            np.array(values(predict(frame, shelf.shipped(session, uri, runtime=runtime), *FLIGHTS.columns)))
            for runtime in ("sklearn", "pyfunc")
        ]
        assert results[0].tobytes() == results[1].tobytes() == pipeline().predict_proba(FLIGHTS).tobytes()

    def test_params_reach_the_model(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        signed = signature(columns(x="double"), tensor("float64"), n=2.0)
        uri = shelf.put("scaled", Returns(lambda frame, params: frame["x"] * params["n"]), signed)
        assert values(predict(rows.where("id = 3"), shelf.shipped(session, uri, n=5.0), "x")) == [15.0]
        assert values(predict(rows.where("id = 3"), shelf.shipped(session, uri), "x")) == [6.0]

    def test_params_that_are_lists_reach_the_model_as_lists(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        answer = Returns(lambda frame, params: [f"{params['stop']}"] * len(frame))
        params = ParamSchema([ParamSpec("stop", "string", ["a"], (-1,))])
        signed = ModelSignature(inputs=columns(x="double"), outputs=tensor("str"), params=params)
        shipped = shelf.shipped(session, shelf.put("listed", answer, signed), stop=["b", "c"])
        assert values(predict(rows.where("id = 3"), shipped, "x")) == ["['b', 'c']"]


class TestEachRowOnce:
    def test_a_filter_on_the_prediction_predicts_no_row_again(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("filtered", Answers(lambda frame: frame["x"]), DOUBLE))
        counters = Counters(session)
        frame = score_with_pandas_udf(rows, shipped, columns=["x"], counters=counters).withColumn(
            "late", F.col("prediction") > 50
        )
        assert len(frame.where("late and prediction < 60").collect()) == 9
        assert counters.rows == 100

    def test_rows_that_are_not_kept_are_not_counted(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        shipped = shelf.shipped(session, shelf.put("kept", Answers(lambda frame: frame["x"]), DOUBLE))
        counters = Counters(session)
        keep = F.when(F.col("id") < 10, True).when(F.col("id") < 20, None).otherwise(False)
        seen = score_with_pandas_udf(rows, shipped, columns=["x"], counters=counters, keep=keep).collect()
        assert [row["id"] for row in seen if row["prediction"] is not None] == list(range(10))
        assert counters.rows == 10


def refusing() -> Callable[[pd.DataFrame], Any]:
    """What cannot take 7. Made here: executors cannot import tests."""

    def answer(frame: pd.DataFrame) -> Any:
        if 7.0 in set(frame["x"]):
            raise KeyError(7.0)
        return frame["x"] * 2

    return answer


class TestRejects:
    FAILED = ("predict_failed", "KeyError", "the model raised an error on this row alone")

    def test_a_row_that_the_model_raises_on_has_a_reason_and_all_others_a_prediction(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("refuses", Answers(refusing()), DOUBLE))
        counters = Counters(session)
        seen = score_with_pandas_udf(rows, shipped, columns=["x"], counters=counters).collect()
        assert [row["prediction"] for row in seen] == [None if row["id"] == 7 else row["id"] * 2.0 for row in seen]
        assert {row["id"]: tuple(row["_reject"]) for row in seen if row["_reject"]} == {7: self.FAILED}
        assert counters.rows == 99

    def test_a_class_with_line_breaks_in_its_name_is_told_whole(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        def answer(frame: pd.DataFrame) -> Any:
            if 7.0 in set(frame["x"]):
                raise type("two\nlines", (ValueError,), {})
            return frame["x"]

        seen = predict(rows, shelf.shipped(session, shelf.put("odd-class", Answers(answer), DOUBLE)), "x").collect()
        assert [row["_reject"]["error"] for row in seen if row["_reject"]] == ["two\nlines"]

    def test_a_row_that_is_not_kept_has_no_reason(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        shipped = shelf.shipped(session, shelf.put("refuses-kept", Answers(refusing()), DOUBLE))
        seen = predict(rows, shipped, "x", keep=F.col("id") > 7).collect()
        assert [row["id"] for row in seen if row["prediction"] is None] == list(range(8))
        assert {row["_reject"] for row in seen} == {None}

    def test_a_prediction_that_is_a_struct_is_none_beside_a_reason(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame
    ) -> None:
        refuse = refusing()
        answer = Answers(lambda frame: pd.DataFrame({"a.b": refuse(frame), "n": [1] * len(frame)}))
        signed = signature(columns(x="double"), Schema([ColSpec("double", "a.b"), ColSpec("long", "n")]))
        frame = predict(rows, shelf.shipped(session, shelf.put("refuses-struct", answer, signed)), "x")
        assert frame.schema["prediction"].dataType.simpleString() == "struct<a.b:double,n:bigint>"
        seen = {row["id"]: (row["prediction"], row["_reject"]) for row in frame.where("id in (6, 7)").collect()}
        assert seen == {6: ((12.0, 1), None), 7: (None, self.FAILED)}

    def test_integers_beside_a_reason_are_exact(self, session: SparkSession, shelf: Shelf) -> None:
        answer = Answers(lambda frame: 1 / 0 if (frame["n"] < 0).any() else frame["n"])
        shipped = shelf.shipped(
            session, shelf.put("refuses-long", answer, signature(columns(n="long"), tensor("int64")))
        )
        frame = session.createDataFrame([(1, BIG), (2, -1), (3, BIG + 2)], "id long, n long").coalesce(1)
        assert values(predict(frame, shipped, "n")) == [BIG, None, BIG + 2]


class TestFailures:
    """What a worker raises reaches the driver as the suite's own error."""

    @pytest.fixture(params=["collect", "write"])
    def act(self, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[DataFrame], Any]:
        """Two ways to run a frame: Spark wraps the failure differently."""
        if request.param == "collect":
            return lambda frame: frame.collect()
        return lambda frame: frame.write.format("delta").save(str(tmp_path / "out"))

    def failure(self, act: Callable[[DataFrame], Any], frame: DataFrame, shipped: ShippedModel) -> SparkscoreError:
        with pytest.raises(Exception, match="Python") as caught:
            act(frame)
        error = recover_task_error(caught.value, shipped.secret)
        assert error is not None
        return error

    def test_a_model_that_raises(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame, act: Callable[[DataFrame], Any]
    ) -> None:
        uri = shelf.put("raises", Answers(lambda frame: 1 / 0), DOUBLE)
        shipped = shelf.shipped(session, uri)
        error = self.failure(act, predict(rows.coalesce(1), shipped, "x"), shipped)
        assert type(error) is RowsNotPredicted
        assert error.exit_code == 4
        assert error.found == (
            "the model raised ZeroDivisionError: division by zero on a batch of 1 rows;"
            " 9 rows of a batch of 100 failed alone in 22 calls, and the batch was given up"
        )

    def test_the_public_function_keeps_no_row_aside(
        self, session: SparkSession, shelf: Shelf, rows: DataFrame, act: Callable[[DataFrame], Any]
    ) -> None:
        shipped = shelf.shipped(session, shelf.put("raises-once", Answers(refusing()), DOUBLE))
        predict = make_prediction_udf(shipped)
        error = self.failure(act, rows.coalesce(1).select(predict("x").alias("p")), shipped)
        assert type(error) is RowsNotPredicted
        assert error.found == "the model raised KeyError: 7.0 on a batch of 64 rows"

    def test_a_model_that_returns_too_few_rows(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        uri = shelf.put("few", Answers(lambda frame: frame["x"][:-1]), DOUBLE)
        shipped = shelf.shipped(session, uri)
        error = self.failure(DataFrame.collect, predict(rows.coalesce(1), shipped, "x"), shipped)
        assert error.found == "the model returned 63 predictions for a batch of 64 rows"
        assert error.do.startswith("log the model again")

    def test_null_in_a_required_integer(self, session: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put("whole", Sums(), signature(columns(n="long"), tensor("int64")))
        frame = session.createDataFrame([(1, BIG), (2, None)], "id long, n long").coalesce(1)
        shipped = shelf.shipped(session, uri)
        error = self.failure(DataFrame.collect, predict(frame, shipped, "n"), shipped)
        assert error.found == "1 of 2 rows of a batch have NULL in the input n"

    def test_integers_that_a_session_makes_doubles_are_refused(self, spark: SparkSession, shelf: Shelf) -> None:
        uri = shelf.put("doubles", Sums(), signature(columns(n="long?"), tensor("int64")))
        frame = spark.createDataFrame([(1, BIG), (2, None)], "id long, n long").coalesce(1)
        shipped = shelf.shipped(spark, uri)
        error = self.failure(DataFrame.collect, predict(frame, shipped, "n"), shipped)
        assert type(error) is SignatureError
        assert NULLABLE_INTEGERS_CONF in error.do

    def test_an_archive_that_was_changed(self, session: SparkSession, shelf: Shelf, rows: DataFrame) -> None:
        shipped = shelf.shipped(session, shelf.put("changed", Answers(lambda frame: frame["x"]), DOUBLE))
        assert values(predict(rows.where("id < 0"), shipped, "x")) == []  # now the executor has it, but not unpacked
        archive = Path(SparkFiles.get(shipped.archive))
        archive.write_bytes(archive.read_bytes().replace(b"flavors", b"flavorS"))
        error = self.failure(DataFrame.collect, predict(rows.coalesce(1), shipped, "x"), shipped)
        assert type(error) is DigestMismatch
        assert shipped.digest[:12] in error.expected


def test_other_failures_are_not_the_suites(session: SparkSession) -> None:
    def body(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from ()
        raise ValueError("not ours")

    with pytest.raises(Exception, match="not ours") as caught:
        session.range(1).mapInPandas(body, "id long").collect()
    assert recover_task_error(caught.value, "secret") is None
