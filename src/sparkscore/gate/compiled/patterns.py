"""Patterns of a suite, checked on the driver before Spark meets them in a task."""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from sparkscore.gate.compiled.values import UnfitArgument

LIKE_ESCAPE = "\\"
"""Spark's own for LIKE."""


def require_java_regex(pattern: str) -> str:
    """A regular expression that Java takes.

    Jobs:    none.
    Raises:  Unfit.
    """
    spark: Any = SparkSession.active()
    try:
        spark._jvm.java.util.regex.Pattern.compile(pattern)  # noqa: SLF001 -- Java's words are the only ones that count
    except (IllegalArgumentException, Py4JJavaError) as error:
        reason = next((line for line in str(error).splitlines() if line), "")
        raise UnfitArgument(f"no regular expression of Java: {reason} in {pattern:.200}") from None
    return pattern


def require_like_pattern(pattern: str, escape: str) -> str:
    """A LIKE pattern in which the escape character stands before %, _ or itself.

    Raises:  Unfit.
    """
    place = 0
    while place < len(pattern):
        if pattern[place] == escape:
            if pattern[place + 1 : place + 2] not in ("%", "_", escape):
                raise UnfitArgument(f"a LIKE pattern whose {escape} stands before something else than %, _ or {escape}")
            place += 1
        place += 1
    return pattern
