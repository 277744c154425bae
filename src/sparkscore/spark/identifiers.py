"""The grammar of identifiers. A name that passes cannot be a path of another format, hold SQL, or leave its folder."""

import re

from sparkscore.errors import NameRefused
from sparkscore.records import TableRef
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.redaction.uri_credentials import has_uri_credentials

_SEGMENT = r"[A-Za-z_][A-Za-z0-9_-]{0,254}"
_PLAIN_TABLE_NAME = re.compile(_SEGMENT)
_CATALOG_TABLE_NAME = re.compile(rf"{_SEGMENT}(\.{_SEGMENT}){{1,2}}")
_TABLE_PATH = re.compile(
    r"((file|hdfs|viewfs|s3|s3a|gs|abfs|abfss|wasbs|dbfs|oss|cosn):/{1,3}|/)[\w .@=+~%:/-]*\w", re.IGNORECASE
)


def parse_table_ref(text: str, *, home: str) -> TableRef:
    """The table that a name means: a catalog name (`lake.flights`), a path, or a plain name (`<home>/tables/<name>`).

    Needs:   paths absolute, as `Settings` makes them.
    Raises:  NameRefused.
    """
    if has_uri_credentials(text):
        raise NameRefused(
            "the name of a table is a URI with credentials in it, which is not shown",
            "a URI without user, password, key or signature",
            "give Spark the credentials: spark.hadoop.fs.s3a.access.key, an instance profile, AWS_… variables",
        )
    if _PLAIN_TABLE_NAME.fullmatch(text):
        return TableRef(text, f"{home}/tables/{text}")
    if _CATALOG_TABLE_NAME.fullmatch(text):
        return TableRef(text, None)
    if _TABLE_PATH.fullmatch(text) and ".." not in text.split("/"):
        return TableRef(text, text)
    raise NameRefused(
        f"the table name {shorten_redacted(text, 120)!r} is not allowed",
        "a plain name, schema.table, catalog.schema.table (letters, digits, _ and -), or an absolute path or URI"
        " without quotes, backticks and ;",
        "rename the table, or give its path",
    )


def sibling_table(table: TableRef, suffix: str) -> TableRef:
    """The table next to this one: `flights` and `_runs` give `flights_runs`."""
    return TableRef(table.name + suffix, None if table.path is None else table.path.rstrip("/") + suffix)


def quote_identifier(column: str) -> str:
    """The column's name as Spark takes it literally, dots and spaces included."""
    return "`" + column.replace("`", "``") + "`"


def quote_table(table: TableRef) -> str:
    """A catalog name with each part quoted."""
    return ".".join(quote_identifier(part) for part in table.name.split("."))


def sql_name(table: TableRef) -> str:
    """The table as SQL names it: by its catalog name, or by its path."""
    return quote_table(table) if table.path is None else f"delta.{quote_identifier(table.path)}"
