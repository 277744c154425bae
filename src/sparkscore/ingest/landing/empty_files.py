"""Files without bytes among those of a source of the format binaryFile: Spark reads past them, and says nothing."""

import re
from datetime import UTC, datetime

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.spark.active_session import create_frame
from sparkscore.spark.session_kind import is_connect_session

BINARY_FILE = "binaryfile"

_SEPARATOR = "\0"
_EMPTY = re.compile(r"\w+\{path=(.*?); isDirectory=false; length=0; .*?modification_time=(\d+);", re.DOTALL)
"""How Hadoop writes the status of a file."""
_COLUMNS = "path string, modificationTime timestamp, length bigint, content binary"


def add_empty_files(spark: SparkSession, files: DataFrame) -> DataFrame:
    """The files with those that have no bytes: a row each, of length 0; what folders say of them (`day=1`) is NULL.

    Needs:   a frame as Spark's reader gives it. A session of Spark Connect does not tell which files there are: there
             they stay out.
    Jobs:    none.
    """
    if is_connect_session(spark):
        return files
    try:
        location = files._jdf.queryExecution().analyzed().relation().location()  # noqa: SLF001  no public way
        told = str(location.allFiles().mkString(_SEPARATOR))
    except Py4JError:  # a plan of another platform
        return files
    found = [_EMPTY.match(status) for status in told.split(_SEPARATOR)]
    rows = [(one[1], datetime.fromtimestamp(int(one[2]) / 1000, UTC), 0, b"") for one in found if one]
    if not rows:
        return files
    own = create_frame(spark, rows, _COLUMNS)
    known = [F.col(name) for name in own.columns if name in files.columns]
    return files.unionByName(own.select(*known), allowMissingColumns=True)
