"""What people do with Spark today: MLflow's spark_udf, PySpark's predict_batch_udf, and a write."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, FloatType

from bench.ways.linked_files import link_files
from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session

BATCH_ROWS = 10_000
"""Spark's own default for the other UDFs."""


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    spark = session("bench spark")
    return {
        "spark_udf": lambda turn: _written(turn, _source(spark, turn), _spark_udf(spark, turn)),
        "predict_batch_udf": lambda turn: _written(turn, _source(spark, turn), _batch_udf(turn)),
        "flights": lambda turn: flights(spark, turn),
        "copy": lambda turn: copy_files(spark, turn),
    }


def flights(spark: SparkSession, turn: Turn) -> Answer:
    """The quickstart's flights as people would score them: spark_udf, and an overwrite of a Delta table."""
    rows = predict_flights(spark, turn)
    started = time.monotonic()
    rows.write.format("delta").mode("overwrite").save(str(Path(turn["out"], "flights")))
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "none"}}


def copy_files(spark: SparkSession, turn: Turn) -> Answer:
    """The files of the source as a Delta table: what landing is measured against."""
    folder, target = link_files(turn), str(Path(turn["out"], "copy"))
    started = time.monotonic()
    spark.read.parquet(folder).write.format("delta").save(target)
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "none"}}


def predict_flights(spark: SparkSession, turn: Turn) -> DataFrame:
    """The flights under spark_udf, with the probability of the second class; nothing is scored before it is written."""
    import mlflow

    options = turn["options"]
    mlflow.set_tracking_uri(options["tracking_uri"])
    source = spark.read.format("delta").load(options["source"]).where("month >= 10")
    predict = mlflow.pyfunc.spark_udf(spark, options["uri"], result_type=ArrayType(DoubleType()))
    inputs = mlflow.models.get_model_info(options["uri"]).signature.inputs.input_names()
    return source.select("flight_id", F.get(predict(*inputs), F.lit(1)).alias("prediction"))


def _source(spark: SparkSession, turn: Turn) -> DataFrame:
    return spark.read.format("delta").load(turn["data"]["path"])


def _written(turn: Turn, source: DataFrame, prediction: Column) -> Answer:
    kind, path = turn["options"]["write"], str(Path(turn["out"], "predictions"))
    started = time.monotonic()
    source.select("id", prediction.alias("prediction")).write.format(kind).mode("overwrite").save(path)
    return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": kind, "path": path}}


def _spark_udf(spark: SparkSession, turn: Turn) -> Column:
    import mlflow

    classes = turn["model"]["classes"]
    kind = ArrayType(DoubleType()) if classes else FloatType()
    predict = mlflow.pyfunc.spark_udf(spark, f"file://{turn['model']['path']}", result_type=kind, env_manager="local")
    result = predict(*turn["data"]["features"])
    return F.get(result, F.lit(1)) if classes else result


def _batch_udf(turn: Turn) -> Column:
    file = str(next(Path(turn["model"]["path"]).glob("*.onnx")))
    names = turn["data"]["features"]
    predict = predict_batch_udf(
        lambda: _onnx(file), return_type=FloatType(), batch_size=BATCH_ROWS, input_tensor_shapes=[[len(names)]]
    )
    return predict(F.array(*names))


def _onnx(file: str) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda rows: model.run(None, {"features": rows.astype(np.float32)})[0].reshape(-1)


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    serve(start)
