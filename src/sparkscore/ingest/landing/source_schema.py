"""Which columns a source without versions has to have: the declared ones, else those that its first as_of had."""

from pyspark.errors import PySparkException
from pyspark.sql.types import IntegerType, LongType, ShortType, StructField, StructType

from sparkscore.errors import ConfigError
from sparkscore.records import CORRUPT_COLUMN, MICRO_BATCH_TEXT_FORMAT, UnversionedSource

_TEXT_FORMATS = ("csv", "json", "xml", MICRO_BATCH_TEXT_FORMAT)
"""Formats whose files do not say which types they hold: any record may be another one than expected."""


def is_text_format(source: UnversionedSource) -> bool:
    """Whether a record of the source may be none: it is landed all the same, as text, and rejected."""
    return source.format.lower() in _TEXT_FORMATS


def parse_declared_schema(text: str) -> StructType:
    """The columns of `source.schema`.

    Raises:  ConfigError.
    """
    try:
        found = StructType.fromDDL(text)
        if not isinstance(found, StructType):
            raise ValueError(text)
        return found
    except (PySparkException, ValueError) as error:
        raise ConfigError(
            f"source.schema is no list of columns: {text[:200]}",
            "columns and types as in CREATE TABLE: id bigint, carrier string, x1 double",
            "correct it",
        ) from error


def widen_inferred_types(schema: StructType, source: UnversionedSource) -> StructType:
    """Types for the rows of later as_ofs, too: whole numbers of text are long ones, however small the first were."""
    if not is_text_format(source):
        return schema
    return StructType(
        [
            StructField(one.name, LongType() if isinstance(one.dataType, IntegerType | ShortType) else one.dataType)
            for one in schema
            if one.name != CORRUPT_COLUMN
        ]
    )


def refuse_other_columns(found: StructType, expected: StructType, source: UnversionedSource, *, types: bool) -> None:
    """Refuse a source that lacks a column, or has it with another type where the format knows types.

    Raises:  ConfigError with what differs.
    """
    by_name = {one.name: one for one in found}
    missing = [one.name for one in expected if one.name not in by_name]
    other = [
        f"{one.name} is {by_name[one.name].dataType.simpleString()}, not {one.dataType.simpleString()}"
        for one in expected
        if types and one.name in by_name and not _has_found_type(by_name[one.name], one)
    ]
    if missing or other:
        told = [f"no column {', '.join(missing)}"] if missing else []
        raise ConfigError(
            f"{source.ref.name} has other columns than it had before: {'; '.join([*told, *other])}",
            f"the columns of {'source.schema' if source.declared else 'the first as_of, which later ones keep'}",
            "correct the source, or say in source.schema which columns and types it has",
        )


def _has_found_type(one: StructField, other: StructField) -> bool:
    """What may be NULL is no part of the type: files and databases say it differently from day to day."""
    return one.dataType.simpleString() == other.dataType.simpleString()
