"""Reads a table of a database in parallel, by ranges of one column."""

import re
from collections.abc import Mapping

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.records import UnversionedSource

_BACKTICKS = ("jdbc:mysql:", "jdbc:mariadb:", "jdbc:databricks:")
_RANGE_OPTIONS = ("partitioncolumn", "numpartitions", "lowerbound", "upperbound")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def reads_by_ranges(source: UnversionedSource) -> bool:
    """Whether tasks read beside one another, each with a statement of its own: the database may change in between."""
    return "partitioncolumn" in _lower_names(source.options)


def complete_range_options(spark: SparkSession, source: UnversionedSource) -> dict[str, str]:
    """The options, with the bounds of the column where they are not given: Spark asks for all or none.

    Jobs:    a small one, for which the database looks up the smallest and the greatest value.
    Raises:  ConfigError for a column that is no plain name, or without numPartitions.
    """
    options, given = dict(source.options), _lower_names(source.options)
    if not reads_by_ranges(source) or {"lowerbound", "upperbound"} & given.keys():
        return options
    if "numpartitions" not in given:
        raise ConfigError(
            f"source.options with partitionColumn: {given['partitioncolumn']} alone",
            "numPartitions beside it: how many ranges are read, each by a connection of its own",
            "set numPartitions; lowerBound and upperBound are looked up where they are left out",
        )
    low, high = _look_up_bounds(spark, source, given["partitioncolumn"])
    if low is None or high is None:  # no row, or none with a value
        return {
            name: text for name, text in options.items() if name.lower() not in ("partitioncolumn", "numpartitions")
        }
    return {**options, "lowerBound": str(low), "upperBound": str(high)}


def count_table_rows(spark: SparkSession, source: UnversionedSource) -> int:
    """How many rows the database says that the table has now.

    Jobs:    a small one: the database counts.
    """
    query = f"(SELECT count(*) AS found FROM {source.ref.name}) counted"  # noqa: S608  names have a grammar
    return int(str(_ask_database(spark, source, query)[0]))


def _look_up_bounds(spark: SparkSession, source: UnversionedSource, column: str) -> tuple[object, object]:
    if not _COLUMN.fullmatch(column):
        raise ConfigError(
            f"source.options with partitionColumn: {column}",
            "a column's name of letters, digits and _",
            "give lowerBound and upperBound, too, or choose another column",
        )
    url = _lower_names(source.options)["url"]
    quote = "`" if url.lower().startswith(_BACKTICKS) else '"'
    quoted = f"{quote}{column}{quote}"
    found = _ask_database(
        spark,
        source,
        f"(SELECT min({quoted}) AS low, max({quoted}) AS high FROM {source.ref.name}) bounds",  # noqa: S608
    )
    return found[0], found[1]


def _ask_database(spark: SparkSession, source: UnversionedSource, query: str) -> tuple[object, ...]:
    options = {name: text for name, text in source.options.items() if name.lower() not in _RANGE_OPTIONS}
    return tuple(spark.read.format("jdbc").options(**options).option("dbtable", query).load().collect()[0])


def _lower_names(options: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): text for name, text in options.items()}
