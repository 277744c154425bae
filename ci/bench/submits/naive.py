"""The quickstart's flights as people score them today: `spark_udf`, and an overwrite of a Delta table.

naive.py SOURCE TRACKING_URI MODEL_URI OUT
"""

import sys

import mlflow
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType


def main(source: str, tracking_uri: str, uri: str, out: str) -> None:
    """Reads, scores, writes."""
    spark = SparkSession.builder.appName("naive").getOrCreate()
    mlflow.set_tracking_uri(tracking_uri)
    rows = spark.read.format("delta").load(source).where("month >= 10")
    predict = mlflow.pyfunc.spark_udf(spark, uri, result_type=ArrayType(DoubleType()))
    inputs = mlflow.models.get_model_info(uri).signature.inputs.input_names()
    scored = rows.select("flight_id", F.get(predict(*inputs), F.lit(1)).alias("prediction"))
    scored.write.format("delta").mode("overwrite").save(out)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
