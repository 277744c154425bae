"""Checks the request for an attempt before it starts."""

from datetime import UTC, datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings


def parse_as_of(text: str | datetime) -> datetime:
    """The UTC time of an ISO date or timestamp; without a zone it is UTC.

    Raises:  ConfigError.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"as_of {text!r} is no date or timestamp",
            "an ISO date or timestamp, UTC: 2013-12-31 or 2013-12-31T06:00:00Z",
            "pass the scheduler's logical date",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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
