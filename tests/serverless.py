"""A session that refuses settings as Databricks serverless compute does: a real one, with another `conf`."""

from typing import Any, NoReturn

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.conf import RuntimeConfig

SETTABLE = frozenset(
    {
        "spark.databricks.execution.timeout",
        "spark.sql.ansi.enabled",
        "spark.sql.files.maxPartitionBytes",
        "spark.sql.legacy.timeParserPolicy",
        "spark.sql.session.timeZone",
        "spark.sql.shuffle.partitions",
    }
)
"""https://docs.databricks.com/aws/en/spark/conf, "Configure Spark properties for serverless notebooks and jobs"."""

_OF_PYSPARK = (
    "spark.python.",
    "spark.sql.pyspark.",
    "spark.sql.stackTracesInDataFrameContext",
    "spark.sql.timestampType",
    "spark.sql.execution.pyspark.",
    "spark.sql.execution.pythonUDF.arrow.enabled",
)
"""What PySpark's own client reads, often at each `collect`."""


class ServerlessConf(RuntimeConfig):
    """What nobody may set nobody may read either, whatever default is given."""

    def set(self, key: str, value: Any) -> None:
        require_settable(key)
        super().set(key, value)

    def unset(self, key: str) -> None:
        require_settable(key)
        super().unset(key)

    def get(self, key: str, *default: Any) -> Any:
        require_readable(key)
        return super().get(key, *default)


class ServerlessSession(SparkSession):
    """The sessions that it makes, and those of its frames, are of its kind."""

    @classmethod
    def beside(cls, spark: SparkSession) -> "ServerlessSession":
        """A new one in the same JVM."""
        return cls(spark.sparkContext, spark.newSession()._jsparkSession)

    @property
    def conf(self) -> RuntimeConfig:
        return ServerlessConf(self._jsparkSession.conf())


def require_settable(name: str) -> None:
    """Raise what serverless compute answers for a setting that it lets nobody set."""
    if name not in SETTABLE:
        _refuse(name)


def require_readable(name: str) -> None:
    """Raise what it answers for a setting that it lets nobody read either."""
    if not name.startswith(_OF_PYSPARK):
        require_settable(name)


def _refuse(name: str) -> NoReturn:
    text = f"[CONFIG_NOT_AVAILABLE.WITHOUT_SUGGESTION] Configuration {name} is not available. SQLSTATE: 42K0I"
    raise AnalysisException(text)
