"""Regular expressions as Java understands them: its words are the only ones that count."""

from typing import Any

from pyspark.errors import IllegalArgumentException, PySparkException
from pyspark.sql import SparkSession

from sparkscore.spark.java_throwables import server_throwables
from sparkscore.spark.py4j_errors import Py4JJavaError
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.spark.sql_texts import text_literal

_PATTERN_FAULT = "PatternSyntaxException"


def find_pattern_fault(spark: SparkSession, pattern: str) -> str | None:
    """What is wrong with a regular expression by Java's rules; None where nothing is.

    Jobs:    none; over Connect one over one row.
    """
    return _ask_server(spark, pattern) if is_connect_session(spark) else _ask_jvm(spark, pattern)


def _ask_jvm(spark: Any, pattern: str) -> str | None:
    try:
        spark._jvm.java.util.regex.Pattern.compile(pattern)  # noqa: SLF001  no other way to Java's own words
    except (IllegalArgumentException, Py4JJavaError) as error:
        return next((line for line in str(error).splitlines() if line), "")
    return None


def _ask_server(spark: SparkSession, pattern: str) -> str | None:
    try:
        spark.sql(f"SELECT '' RLIKE {text_literal(pattern)}").collect()
    except PySparkException as error:
        if error.getCondition() != "INVALID_PARAMETER_VALUE.PATTERN":
            raise
        causes = [one.message for one in server_throwables(error) if one.kind.endswith(_PATTERN_FAULT)]
        return next((line for text in causes for line in text.splitlines() if line), "it does not compile")
    return None
