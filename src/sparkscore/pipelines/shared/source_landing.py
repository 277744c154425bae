"""Lands a source without versions, once per as_of: from then on the run reads a Delta table, as every other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame

from sparkscore.errors import PublishConflict, TemporaryError, VersionGone
from sparkscore.ingest.landing.reading_errors import translate_reading_errors
from sparkscore.ingest.landing.source_reading import (
    SourceColumns,
    count_source_rows,
    read_source_columns,
    read_source_rows,
    refuse_other_header,
)
from sparkscore.ingest.landing.source_schema import is_text_format
from sparkscore.ingest.snapshot import refuse_unsafe_session
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import (
    CORRUPT_COLUMN,
    MICRO_BATCH_FORMAT,
    MICRO_BATCH_TEXT_FORMAT,
    Condition,
    LandedRows,
    TableRef,
    UnversionedSource,
    to_utc_text,
)
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.landing_tables import (
    adopt_landed_rows,
    count_landings,
    find_landed_rows,
    load_pinned_schema,
    pin_schema,
    write_landed_rows,
)

NOT_LANDED = "not landed"
"""In the place of a table's id: the snapshot has columns, and nothing can be read of it yet."""
SchemaCheck = Callable[[pa.Schema], None]
"""Refuses columns that the run cannot be made from: before anything is copied."""


def source_conditions(settings: Settings) -> tuple[Condition, ...]:
    """The filter, with what of it may be shown nowhere marked."""
    source = settings.source
    return tuple(
        replace(condition.to_condition(), sensitive=condition.column in source.sensitive) for condition in source.where
    )


def find_landing(attempt: Attempt) -> LandedRows | None:
    """What an attempt has landed for the as_of, of the source as the config has it; None where nothing was.

    Jobs:    none.
    """
    return find_landed_rows(attempt.source, attempt.settings.source.landing_digest)


def is_micro_batch_source(settings: Settings) -> bool:
    """Whether the run reads a micro-batch, which a stream has landed and nobody can read from its source again."""
    return settings.source.format in (MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT)


def absent_micro_batch_error(attempt: Attempt) -> VersionGone:
    """What to say where the rows of a micro-batch are asked for and are not there."""
    return VersionGone(
        f"what the stream has landed for {to_utc_text(attempt.as_of)} is not there: `maintain` has removed it,"
        " or source.table or source.where is another one now",
        "the rows of the micro-batch, with the filter that they were landed with",
        "score these rows under another as_of, from the source itself",
    )


def read_unlanded_columns(attempt: Attempt, check: SchemaCheck) -> tuple[UnversionedSource, SourceColumns]:
    """The source and its columns, which fit the run; nothing is written.

    Jobs:    as `read_source_columns`.
    Raises:  as `read_source_columns`, and what `check` raises.
    """
    source, folder = describe_unversioned_source(attempt.settings), attempt.settings.landing_uri
    refuse_unsafe_session(attempt.spark)
    columns = read_source_columns(attempt.spark, source, pinned=lambda: load_pinned_schema(attempt.spark, folder))
    wanted = attempt.settings.source
    filtered = [condition.column for condition in wanted.where]
    refuse_other_header(source, columns, (*wanted.keys, *wanted.passthrough, *filtered))
    check(landed_schema(source, columns))
    if columns.left_out:
        attempt.warn(
            f"{source.ref.name} has columns that it did not have before, and which are not landed:"
            f" {', '.join(columns.left_out)}; source.schema says which columns it has"
        )
    return source, columns


def read_unlanded_rows(attempt: Attempt) -> DataFrame:
    """The rows of the source as they would be landed; nothing is written."""
    return read_source_rows(attempt.spark, *read_unlanded_columns(attempt, lambda _: None))


def landed_schema(source: UnversionedSource, columns: SourceColumns) -> pa.Schema:
    """The columns of what is landed, with the one of what is no record."""
    schema = spark_to_arrow_schema(columns.schema)
    return schema.append(pa.field(CORRUPT_COLUMN, pa.string())) if is_text_format(source) else schema


def corrupt_column(settings: Settings) -> str | None:
    """The column of what is no record; None for formats of which every row is one."""
    source = settings.source
    return CORRUPT_COLUMN if source.is_landed and is_text_format(describe_unversioned_source(settings)) else None


def land_source(attempt: Attempt, check: SchemaCheck) -> LandedRows:
    """Land the source for the as_of, in one commit; what another attempt has landed meanwhile counts.

    Jobs:    one that reads the source; small ones.
    Raises:  as `read_source_columns`; what `check` raises; PublishConflict; TemporaryError for a database that changes
             while it is read by ranges.
    """
    source, columns = read_unlanded_columns(attempt, check)
    with attempt.phase("land"):
        if source.declared is None:
            kept = pin_schema(attempt.spark, attempt.settings.landing_uri, columns.schema, job=attempt.settings.job)
            if kept != columns.schema:  # another attempt was faster
                source, columns = read_unlanded_columns(attempt, check)
        _copy_rows(attempt, source, columns)
    landed = find_landing(attempt)
    if landed is None:
        raise PublishConflict(
            "another attempt lands the same as_of", "one attempt at a time", "run it again when the other has ended"
        )
    return landed


def _copy_rows(attempt: Attempt, source: UnversionedSource, columns: SourceColumns) -> None:
    number, writer = count_landings(attempt.source, source.digest) + 1, uuid4().hex
    expected = count_source_rows(attempt.spark, source, columns)
    rows = read_source_rows(attempt.spark, source, columns)
    with translate_reading_errors(source):
        version = write_landed_rows(
            rows,
            attempt.source,
            source,
            job=attempt.settings.job,
            number=number,
            writer=writer,
            is_unsure=expected is not None,
        )
    if expected is not None and version is not None:
        found = attempt.source.load_rows(version).count()
        _refuse_changing_source(source, (expected, found, count_source_rows(attempt.spark, source, columns)))
        adopt_landed_rows(attempt.source, source, number)


def _refuse_changing_source(source: UnversionedSource, counts: tuple[int | None, ...]) -> None:
    if len(set(counts)) > 1:
        before, landed, after = (f"{count:,}" for count in counts if count is not None)
        raise TemporaryError(
            f"{source.ref.name} changed while it was read by ranges:"
            f" {before} rows before, {landed} read, {after} after",
            "rows that stay while they are read: each range is read at another moment",
            "run it again, which lands it anew; if it always changes, leave partitionColumn out (one statement reads"
            " one moment), or read what no longer changes: source.where",
        )


def describe_unversioned_source(
    settings: Settings, *, batch: Mapping[str, str] = MappingProxyType({})
) -> UnversionedSource:
    """The source as the config has it; `batch`: what a stream knows of a micro-batch."""
    source = settings.source
    is_batch = is_micro_batch_source(settings)
    return UnversionedSource(
        source.format,
        TableRef(source.table, None) if is_batch else parse_table_ref(source.table, home=settings.home_uri),
        source.reader_options,
        source.schema,
        source_conditions(settings),
        source.landing_digest,
        source.shown_options,
        batch,
    )
