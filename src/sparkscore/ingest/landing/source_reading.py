"""The rows of a source without versions as a frame, typed and filtered, with what is no record kept as text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from sparkscore.errors import ConfigError
from sparkscore.ingest.landing.connectors import JDBC, SNOWFLAKE_FORMATS, VIEW, require_reader_options
from sparkscore.ingest.landing.empty_files import BINARY_FILE, add_empty_files
from sparkscore.ingest.landing.jdbc_ranges import complete_range_options, count_table_rows, reads_by_ranges
from sparkscore.ingest.landing.reading_errors import other_header_error, translate_reading_errors
from sparkscore.ingest.landing.source_schema import (
    is_text_format,
    parse_declared_schema,
    refuse_other_columns,
    widen_inferred_types,
)
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import CORRUPT_COLUMN, UnversionedSource
from sparkscore.spark.identifiers import quote_identifier, quote_table
from sparkscore.spark.type_mapping import spark_to_arrow_schema

_FILE_FORMATS = ("parquet", "orc", "csv", "json", "xml", "text", "avro", BINARY_FILE)
_CORRUPT_FIELD = StructField(CORRUPT_COLUMN, StringType())


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """The columns of a source, as they are landed."""

    schema: StructType
    """Without the one of what is no record."""
    found: tuple[str, ...] = ()
    """The names that the source says it has, in its order; none where it says none."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that the source has, and that it did not have before."""
        return tuple(name for name in self.found if name not in (*self.schema.names, CORRUPT_COLUMN))


def read_source_columns(
    spark: SparkSession, source: UnversionedSource, *, pinned: Callable[[], StructType | None]
) -> SourceColumns:
    """The columns of the source: those that are declared or pinned, which it must have, else those that it has.

    Jobs:    none for formats that say their types; for CSV, JSON and XML a small one, and one that reads all of it
             where nothing is declared or pinned.
    Raises:  ConfigError, TableNotFound, AccessDenied, TemporaryError.
    """
    require_reader_options(source.format, source.options, source.ref.name)
    _require_place(source)
    expected = parse_declared_schema(source.declared) if source.declared else pinned()
    with translate_reading_errors(source):
        found = _find_columns(spark, source, infers=expected is None)
    if expected is None:
        schema = widen_inferred_types(found, source)
        return SourceColumns(schema, tuple(schema.names))
    if is_text_format(source):
        return SourceColumns(expected, _match_header(found, expected, source))
    refuse_other_columns(found, expected, source, types=source.declared is None)
    return SourceColumns(expected, tuple(found.names))


def read_source_rows(spark: SparkSession, source: UnversionedSource, columns: SourceColumns) -> DataFrame:
    """The rows that meet the filter, with these columns; of text, what is no record too, without values.

    Jobs:    none; a small one where ranges of a database are looked up.
    Raises:  as `read_source_columns`.
    """
    with translate_reading_errors(source):
        rows = _load_frame(spark, source, columns)
    wanted = [quote_identifier(name) for name in columns.schema.names]
    met = to_spark_filter(source.where, spark_to_arrow_schema(columns.schema))
    if not is_text_format(source):
        return (rows.where(met) if source.where else rows).selectExpr(*wanted)
    corrupt = F.col(quote_identifier(CORRUPT_COLUMN))
    kept = rows.where(corrupt.isNotNull() | met) if source.where else rows
    # half a record may have the key of a whole one
    return kept.select(
        *(F.when(corrupt.isNull(), F.col(name)).alias(name[1:-1].replace("``", "`")) for name in wanted), corrupt
    )


def count_source_rows(spark: SparkSession, source: UnversionedSource, columns: SourceColumns) -> int | None:
    """How many rows there are to land now, where several statements read them; None where one does.

    Jobs:    one: the database counts, or tells the rows that meet the filter.
    """
    if source.format.lower() != JDBC or not reads_by_ranges(source):
        return None
    with translate_reading_errors(source):
        return read_source_rows(spark, source, columns).count() if source.where else count_table_rows(spark, source)


def _require_place(source: UnversionedSource) -> None:
    kind = source.format.lower()
    if kind in _FILE_FORMATS and source.ref.path is None:
        raise ConfigError(
            f"source.table {source.ref.name} of the format {source.format}",
            "a folder or a file: a path or a URI",
            "give its path; a table of the catalog is of the format view",
        )
    if kind in (JDBC, VIEW) and "/" in source.ref.name:
        raise ConfigError(
            f"source.table {source.ref.name} of the format {source.format}",
            "the name of a table or a view",
            "name it; files are of the format parquet, csv, json or orc",
        )


def _match_header(found: StructType, expected: StructType, source: UnversionedSource) -> tuple[str, ...]:
    """The names of a CSV's header, in its order; none where there is no header.

    Raises:  ConfigError where it lacks a column.
    """
    if source.format.lower() != "csv" or not _has_header(source):
        return ()
    missing = [name for name in expected.names if name not in found.names]
    if missing:
        raise other_header_error(source, missing)
    return tuple(found.names)


def refuse_other_header(source: UnversionedSource, columns: SourceColumns, wanted: Sequence[str]) -> None:
    """Refuse a CSV whose header lacks a column, without a word of what its first line holds: it may be a row.

    Raises:  ConfigError.
    """
    missing = [name for name in wanted if name not in columns.schema.names]
    if missing and source.format.lower() == "csv" and _has_header(source):
        raise other_header_error(source, missing)


def _find_columns(spark: SparkSession, source: UnversionedSource, *, infers: bool) -> StructType:
    """What the source itself says of its columns; of text without inference only the names, if it has any."""
    kind = source.format.lower()
    if kind == "csv":
        return _reader(spark, source).option("inferSchema", str(infers).lower()).load(source.ref.path).schema
    if is_text_format(source) and not infers:
        return StructType([])
    return _load_as_it_is(spark, source).schema


def _load_frame(spark: SparkSession, source: UnversionedSource, columns: SourceColumns) -> DataFrame:
    if is_text_format(source):
        return _reader(spark, source).schema(_schema_of_text(columns)).load(source.ref.path)
    if source.format.lower() == BINARY_FILE:
        return add_empty_files(spark, _reader(spark, source).load(source.ref.path))
    if source.format.lower() in _FILE_FORMATS and source.declared:
        return _reader(spark, source).schema(columns.schema).load(source.ref.path)
    return _load_as_it_is(spark, source)


def _schema_of_text(columns: SourceColumns) -> StructType:
    """The columns in the order of the files, with the text of what is no record; others than expected are text."""
    types = {one.name: one.dataType for one in columns.schema}
    names = columns.found or tuple(columns.schema.names)
    return StructType([*(StructField(name, types.get(name, StringType())) for name in names), _CORRUPT_FIELD])


def _load_as_it_is(spark: SparkSession, source: UnversionedSource) -> DataFrame:
    kind, name = source.format.lower(), source.ref.name
    if kind == VIEW:
        return spark.table(quote_table(source.ref))
    if kind == JDBC:
        declared = {"customSchema": source.declared} if source.declared else {}
        options = {**complete_range_options(spark, source), **declared, "dbtable": name}
        return spark.read.format(JDBC).options(**options).load()
    reader = _reader(spark, source)
    if kind in SNOWFLAKE_FORMATS:
        return reader.option("dbtable", name).load()
    return reader.load(source.ref.path if kind in _FILE_FORMATS else name)


def _reader(spark: SparkSession, source: UnversionedSource) -> DataFrameReader:
    reader = spark.read.format(source.format)
    if is_text_format(source):
        reader = reader.options(mode="PERMISSIVE", columnNameOfCorruptRecord=CORRUPT_COLUMN)
    if source.format.lower() == "csv":  # else Spark would give the values of one column to another, by their places
        reader = reader.options(header="true", enforceSchema="false")
    return reader.options(**source.options)


def _has_header(source: UnversionedSource) -> bool:
    given = {name.lower(): text for name, text in source.options.items()}
    return given.get("header", "true").lower() == "true"
