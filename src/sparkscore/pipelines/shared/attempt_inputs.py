"""Checks the request for an attempt before it starts."""

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings


def refuse_default_home(spark: SparkSession, home: str) -> None:
    """Refuse the default home on a cluster: a relative path, and executors would not see the driver's working folder.

    Raises:  ConfigError.
    """
    master = str(spark.sparkContext.master)
    if not master.startswith("local") and home == Settings.model_fields["home"].default:
        raise ConfigError(
            f"the default home {home}, a folder of the driver, with the master {master}",
            "a home that the driver and all executors can reach",
            "set home: or SPARKSCORE_HOME to an absolute path or a URI, for example s3a://bucket/sparkscore",
        )
