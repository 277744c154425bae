"""Values and types as SQL text, so that a frame's columns are one text each: as objects they cost three calls to the
JVM for each name, each constant and each operation.

Whatever the text of a value is, it stays one: what could end a literal is written as bytes.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from sparkscore.spark.identifiers import quote_identifier

_HARMLESS_TEXT = re.compile(r"[\w .,:;/@=+#()|-]*", re.ASCII)
"""Means the same whatever the session's settings say of quotes and backslashes."""


def text_literal(text: str) -> str:
    """A text as a literal of type string."""
    if _HARMLESS_TEXT.fullmatch(text):
        return f"'{text}'"
    return f"CAST(X'{text.encode().hex()}' AS STRING)"


def timestamp_literal(moment: datetime) -> str:
    """A moment as a literal of type timestamp, whatever the session's time zone is.

    Needs:   an aware time.
    """
    return f"TIMESTAMP_LTZ'{moment.astimezone(UTC).isoformat(sep=' ', timespec='microseconds')}'"


def date_literal(day: date) -> str:
    """A day as a literal of type date."""
    return f"DATE'{day.isoformat()}'"


def double_literal(number: float) -> str:
    """A number as a literal of type double."""
    return f"CAST('{number!r}' AS DOUBLE)"


def null_literal(kind: DataType) -> str:
    """NULL of a type."""
    return f"CAST(NULL AS {type_text(kind)})"


def constant_text(value: object) -> str:
    """A Python value as a literal: text, whole number, aware time, day.

    Raises:  TypeError for others.
    """
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, datetime):
        return timestamp_literal(value)
    if isinstance(value, date):
        return date_literal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"CAST({value} AS BIGINT)"
    raise TypeError(f"no literal of a {type(value).__name__}")


def type_text(kind: DataType) -> str:
    """A type as SQL names it; `simpleString` does not quote the names of fields."""
    if isinstance(kind, StructType):
        fields = (f"{quote_identifier(field.name)}: {type_text(field.dataType)}" for field in kind)
        return f"STRUCT<{', '.join(fields)}>"
    if isinstance(kind, ArrayType):
        return f"ARRAY<{type_text(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"MAP<{type_text(kind.keyType)}, {type_text(kind.valueType)}>"
    return kind.simpleString()


def name_expression(expression: str, name: str) -> str:
    """An expression with a name."""
    return f"{expression} AS {quote_identifier(name)}"


def struct_text(fields: Mapping[str, str]) -> str:
    """A struct of named expressions."""
    return f"struct({', '.join(name_expression(value, name) for name, value in fields.items())})"
