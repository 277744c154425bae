# Databricks notebook source
# MAGIC %md
# MAGIC # Reading predictions
# MAGIC For analysts: what stands in the prediction table, where a row comes from, and the newest prediction of every key.
# MAGIC Runs after the quickstart; on Databricks put the name of your own table in the next cell.

# COMMAND ----------

from sparkscore.publish.latest import latest
from sparkscore.session import job_session
from sparkscore.settings import Settings
from sparkscore.store.names import beside, table_ref
from sparkscore.store.tables import load

spark = job_session("read predictions")
settings = Settings.load("conf/quickstart.yaml")
table = table_ref(settings.output.table, home=settings.home_uri)
predictions = load(spark, table)
predictions.printSchema()

# COMMAND ----------
# MAGIC %md
# MAGIC One row per key and `as_of`. `prediction` is the probability that the flight arrives 15 or more minutes late.

# COMMAND ----------

predictions.createOrReplaceTempView("predictions")
spark.sql(
    """
    SELECT as_of_date, carrier, count(*) AS flights, round(avg(prediction), 3) AS risk, sum(label) AS called_late
    FROM predictions GROUP BY ALL ORDER BY as_of_date, risk DESC
    """
).show()

# COMMAND ----------
# MAGIC %md
# MAGIC The newest prediction of every key: the row with the greatest `as_of`. In a catalog the view `<table>_latest` holds the same.

# COMMAND ----------

newest = latest(predictions, keys=settings.source.keys)
newest.select("flight_id", "prediction", "label", "as_of", "model_version").orderBy("prediction", ascending=False).show(
    10
)

# COMMAND ----------
# MAGIC %md
# MAGIC Which run and which model made a row, and what the run said of itself.

# COMMAND ----------

runs = load(spark, beside(table, "_runs")).where("event = 'published'")
columns = [
    "as_of",
    "run_id",
    "model_name",
    "model_version",
    "source_version",
    "rows_scored",
    "rows_rejected",
    "table_version",
]
runs.select(*columns).orderBy("as_of").show(truncate=12)
