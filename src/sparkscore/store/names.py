"""The grammar of identifiers. A name that passes cannot be a path of another format, hold SQL, or leave its folder."""

import re

from sparkscore.errors import NameRefused
from sparkscore.records import TableRef

_SEGMENT = r"[A-Za-z_][A-Za-z0-9_-]{0,254}"
_PLAIN = re.compile(_SEGMENT)
_CATALOG = re.compile(rf"{_SEGMENT}(\.{_SEGMENT}){{1,2}}")
_PATH = re.compile(
    r"((file|hdfs|viewfs|s3|s3a|gs|abfs|abfss|wasbs|dbfs|oss|cosn):/{1,3}|/)[\w .@=+~%:/-]*\w", re.IGNORECASE
)


def table_ref(text: str, *, home: str) -> TableRef:
    """The table that a name means: a catalog name (`lake.flights`), a path, or a plain name (`<home>/tables/<name>`).

    Needs:   paths absolute, as `Settings` makes them.
    Raises:  NameRefused.
    """
    if _PLAIN.fullmatch(text):
        return TableRef(text, f"{home}/tables/{text}")
    if _CATALOG.fullmatch(text):
        return TableRef(text, None)
    if _PATH.fullmatch(text) and ".." not in text.split("/"):
        return TableRef(text, text)
    raise NameRefused(
        f"the table name {text[:120]!r}",
        "a plain name, schema.table, catalog.schema.table (letters, digits, _ and -), or an absolute path or URI"
        " without quotes, backticks and ;",
        "rename the table, or give its path",
    )


def beside(table: TableRef, suffix: str) -> TableRef:
    """The table next to this one: `flights` and `_runs` give `flights_runs`."""
    return TableRef(table.name + suffix, None if table.path is None else table.path.rstrip("/") + suffix)


def quoted(column: str) -> str:
    """The column's name as Spark takes it literally, dots and spaces included."""
    return "`" + column.replace("`", "``") + "`"


def quoted_table(table: TableRef) -> str:
    """A catalog name with each part quoted."""
    return ".".join(quoted(part) for part in table.name.split("."))


def sql_name(table: TableRef) -> str:
    """The table as SQL names it: by its catalog name, or by its path."""
    return quoted_table(table) if table.path is None else f"delta.{quoted(table.path)}"
