"""Checks the request for an attempt before it starts."""

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.spark.session_kind import load_master, shares_files


def refuse_default_home(spark: SparkSession, home: str) -> None:
    """Refuse the default home on a cluster: a relative path, and executors would not see the driver's working folder.

    Raises:  ConfigError.
    """
    if home != Settings.model_fields["home"].default:
        return
    master = load_master(spark)
    if not master.startswith("local") or not shares_files(spark):
        raise ConfigError(
            f"the default home {home}, a folder of the driver, with the master {master or 'of a Spark Connect server'}",
            "a home that the driver and all executors can reach",
            "set home: or SPARKSCORE_HOME to an absolute path or a URI, for example s3a://bucket/sparkscore",
        )
