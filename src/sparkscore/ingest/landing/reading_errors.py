"""Failures of reading a source without versions, in words for whoever set `source`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.errors import PySparkException

from sparkscore.errors import AccessDenied, ConfigError, SparkscoreError, TableNotFound, TemporaryError
from sparkscore.ingest.landing.connectors import JDBC, VIEW, missing_reader_error
from sparkscore.records import UnversionedSource
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.java_throwables import throwables_of
from sparkscore.spark.py4j_errors import Py4JJavaError

_NO_READER = re.compile(r"DATA_SOURCE_NOT_FOUND|No suitable driver|ClassNotFoundException")
_NO_TABLE = re.compile(r"TABLE_OR_VIEW_NOT_FOUND|UNRESOLVED_COLUMN|INCOMPATIBLE_VIEW_SCHEMA_CHANGE")
_IN_HEADER = "IllegalArgumentException"
"""What Spark raises for a header; its message is a line of the file."""
_OF_FILES: Sequence[tuple[str, type[SparkscoreError], str, str, str]] = (
    (
        "DELTA_INVALID_FORMAT|transaction log for Delta",
        ConfigError,
        "{0} is a Delta table, and the config says {1}",
        "the format that the source has",
        "leave source.format out",
    ),
    ("PATH_NOT_FOUND", TableNotFound, "there is nothing at {0}", "files of the source", "check source.table"),
    (
        "UNABLE_TO_INFER_SCHEMA",
        ConfigError,
        "{0} holds no file of the format {1} with columns",
        "at least one file",
        "check source.table and source.format, or set source.schema",
    ),
    (
        "FILE_NOT_EXIST|FileNotFoundException",
        TemporaryError,
        "files of {0} were removed while they were read",
        "files that stay",
        "run it again: it lands them anew",
    ),
    (
        "FAILED_READ_FILE|CONVERSION|CONVERT|CANNOT_PARSE",
        ConfigError,
        "{0} has a file that cannot be read as its columns",
        "files of the format {1}, with values of the column's types",
        "check source.format, source.options and source.schema; --debug shows which file it is",
    ),
    (
        "DELTA_UNSUPPORTED|DELTA_DUPLICATE_COLUMNS|COLUMN_ALREADY_EXISTS",
        ConfigError,
        "{0} has columns that no Delta table can have",
        "names that differ in more than case, and types that Delta knows",
        "leave them out, or cast them: source.schema, or a view",
    ),
)
"""Pattern, class and words: `{0}` is the source, `{1}` its format. The first that is found decides."""
_OF_DATABASES: Sequence[tuple[str, type[SparkscoreError], str, str, str]] = (
    (
        "authentication failed|Login failed|Access denied for user|invalid username|ORA-01017",
        AccessDenied,
        "the database refuses the user that reads {0}",
        "user and password that may read it",
        "check source.options",
    ),
    (
        "relation .* does not exist|Invalid object name|doesn't exist|ORA-00942",
        TableNotFound,
        "the database has no {0}",
        "a table or a view of the database",
        "check source.table",
    ),
    (
        "refused|I/O error|terminating connection|UnknownHost|connect timed out|SocketTimeout|Communications link"
        "|the database system is|connection (was|has been) closed|Connection reset|broken pipe|FAILED_JDBC.CONNECTION",
        TemporaryError,
        "the database did not answer while {0} was read",
        "a database that answers",
        "run it again later",
    ),
    _OF_FILES[-1],
)


@contextmanager
def translate_reading_errors(source: UnversionedSource) -> Iterator[None]:
    """Turn failures of Spark inside the block into the suite's own errors about this source."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        known = _to_reading_error(error, source) or to_sparkscore_error(error, f"reading {source.ref.name}")
        if known is not None:
            raise known from error
        raise


def _to_reading_error(error: Exception, source: UnversionedSource) -> SparkscoreError | None:
    found, kind = throwables_of(error), source.format.lower()
    text = "\n".join(f"{one.kind}: [{one.condition}] {one.message}" for one in found)
    if _NO_READER.search(text):
        return missing_reader_error(source.format, source.options)
    if kind == VIEW and _NO_TABLE.search(text):
        return _view_error(error, source.ref.name)
    if kind == "csv" and any(one.kind.endswith(_IN_HEADER) for one in found):
        return other_header_error(source)
    for pattern, error_class, *words in _OF_DATABASES if kind == JDBC else _OF_FILES:
        if re.search(pattern, text, re.IGNORECASE):
            return error_class(*(word.format(source.ref.name, source.format) for word in words))
    return None


def other_header_error(source: UnversionedSource, missing: Sequence[str] = ()) -> ConfigError:
    """The error for a CSV whose first line does not name the expected columns. It does not show what it holds."""
    named = f": {', '.join(missing)}" if missing else ""
    return ConfigError(
        f"{source.ref.name} has a file whose first line does not name the columns of the source{named}",
        "one header for all files, with the columns that the config names, and those of source.schema or the first"
        " as_of",
        'give the delimiter, source.options: {sep: ";"}; without a header, {header: false} and source.schema',
    )


def _view_error(error: Exception, name: str) -> TableNotFound:
    parts = [part for part in name.split(".") if part]
    missing = re.search(r"`([^`]+)`(\.`([^`]+)`)*", str(error))
    behind = missing[0].replace("`", "") if missing else ""
    if behind and behind.split(".")[-1].lower() != parts[-1].lower():
        return TableNotFound(
            f"the view {name} reads {shorten_redacted(behind, 120)}, which is not there",
            "a view whose tables and columns exist",
            "create the table again, or the view anew, or name another source",
        )
    return TableNotFound(
        f"there is no view or table {name}",
        "a view or a table of the catalog; temporary views are of one session, and a run has its own",
        "check source.table; a global temporary view is global_temp.NAME",
    )
