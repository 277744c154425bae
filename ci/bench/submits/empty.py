"""The least that a job of Spark with Delta can be: a session that starts and stops."""

from pyspark.sql import SparkSession

SparkSession.builder.appName("empty").getOrCreate().stop()
