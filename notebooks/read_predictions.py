# Databricks notebook source
# MAGIC %md
# MAGIC # Reading predictions
# MAGIC For analysts: what stands in the prediction table, where a row comes from, and the newest prediction of every key.
# MAGIC Runs after the quickstart. On Databricks leave the next cell out and put your catalog's names into the queries.

# COMMAND ----------

import os
from pathlib import Path

from pyspark.sql import SparkSession

from sparkscore import Settings, register_tables

if not Path("conf").is_dir():  # Jupyter starts in the notebook's own folder
    os.chdir("..")
builder = SparkSession.builder.appName("read predictions")
for line in Path("conf/spark/local.conf").read_text().splitlines():  # Delta for this Spark, as the jobs have it
    if line.startswith("spark."):
        builder = builder.config(*line.split(maxsplit=1))
spark = builder.getOrCreate()
names = register_tables(spark, Settings.load("conf/quickstart.yaml"))
print(*names)

# COMMAND ----------
# MAGIC %md
# MAGIC One row per key and `as_of`. `prediction` is the probability that the flight arrives 15 or more minutes late.

# COMMAND ----------

spark.sql("DESCRIBE flight_delay_predictions").show(truncate=80)
spark.sql(
    """
    SELECT as_of_date, carrier, count(*) AS flights, round(avg(prediction), 3) AS risk, sum(label) AS called_late
    FROM flight_delay_predictions GROUP BY ALL ORDER BY as_of_date, risk DESC
    """
).show()

# COMMAND ----------
# MAGIC %md
# MAGIC The newest prediction of every key: the row with the greatest `as_of`. In a catalog this is a view that persists.

# COMMAND ----------

spark.sql(
    """
    SELECT flight_id, carrier, flight, prediction, label, as_of, model_version
    FROM flight_delay_predictions_latest ORDER BY prediction DESC, flight_id LIMIT 10
    """
).show()

# COMMAND ----------
# MAGIC %md
# MAGIC How good was it? The flights table holds what happened.

# COMMAND ----------

spark.sql(
    """
    SELECT label, count(*) AS flights, round(avg(CAST(arr_delay >= 15 AS INT)), 3) AS were_late
    FROM flight_delay_predictions_latest JOIN flights USING (flight_id)
    WHERE arr_delay IS NOT NULL GROUP BY label ORDER BY label
    """
).show()

# COMMAND ----------
# MAGIC %md
# MAGIC Which run and which model made a row, and what the run said of itself.

# COMMAND ----------

spark.sql(
    """
    SELECT as_of, left(run_id, 12) AS run, model_name, model_version, source_version, rows_scored, rows_rejected
    FROM flight_delay_predictions_runs WHERE event = 'published' ORDER BY as_of
    """
).show()
