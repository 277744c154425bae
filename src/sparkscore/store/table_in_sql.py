"""A table's name in the SQL of a session."""

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.records import TableRef
from sparkscore.spark.identifiers import sql_name
from sparkscore.spark.session_settings import SUBSTITUTION
from sparkscore.spark.settable_conf import is_any_refused


def sql_name_in_session(spark: SparkSession, ref: TableRef) -> str:
    """The table as SQL names it, quoted.

    Raises:  ConfigError for `${` in a path, where the session would put a setting in its place.
    """
    if "${" in (ref.path or "") and is_any_refused(spark, (SUBSTITUTION,)):
        raise ConfigError(
            f"{ref.name} has ${{ in its path, and the session lets nobody switch {SUBSTITUTION} off",
            "a path without ${",
            "rename the folder, or use compute that lets its sessions set it",
        )
    return sql_name(ref)
