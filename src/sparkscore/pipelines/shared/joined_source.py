"""A source whose rows get features: joined once for its pins, and landed, so that the run reads a Delta table."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame

from sparkscore.errors import PublishConflict
from sparkscore.ingest.features.as_of_join import join_features
from sparkscore.ingest.features.feature_checks import extend_with_features
from sparkscore.ingest.features.feature_values import FeatureTable
from sparkscore.ingest.snapshot import pin_source, snapshot_frame
from sparkscore.pipelines.shared.feature_pinning import feature_schemas, find_row_times, load_feature_tables
from sparkscore.pipelines.shared.joined_counts import count_matched_rows
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import NOT_LANDED, SchemaCheck, read_unlanded_rows, source_conditions
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import (
    ROW_FLAGS_COLUMN,
    Condition,
    LandedRows,
    PinnedTable,
    ReportedFeatures,
    RowsOrigin,
    Snapshot,
    UnversionedSource,
    json_digest,
)
from sparkscore.settings.feature_settings import describe_features
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.landing_tables import (
    adopt_landed_rows,
    count_landings,
    find_landed_rows,
    landing_ref,
    write_landed_rows,
)
from sparkscore.store.table import Table

RowsCut = Callable[[DataFrame], DataFrame]


def pin_unjoined_rows(
    attempt: Attempt,
    version: int | Literal["latest", "as_of"],
    where: Sequence[Condition],
    columns: Sequence[str],
) -> Snapshot:
    """The rows of the source, with those of the columns and conditions that it has itself; the joined rows are checked.

    Jobs:    none.
    Raises:  as `pin_source`.
    """
    keys, names = attempt.settings.source.keys, attempt.settings.output_names
    found = pin_source(
        attempt.source, version=version, as_of=attempt.as_of, keys=keys, where=(), columns=(), names=names
    )
    own = tuple(condition for condition in where if condition.column in found.schema.names)
    to_spark_filter(own, found.schema)
    read = tuple(name for name in dict.fromkeys(columns) if name in found.schema.names)
    return replace(found, columns=read, where=own)


def pin_joined_source(
    attempt: Attempt,
    rows: Snapshot,
    features: Sequence[PinnedTable],
    *,
    check: SchemaCheck,
    lands: bool,
    columns: Sequence[str],
) -> Snapshot:
    """The rows with their features, as they are landed; without `lands` only their columns, where they are not yet.

    `rows`: what is joined, as it is pinned. `check`: refuses columns that the run cannot be made from.

    Jobs:    none where they are landed; else as `join_features`, one that writes, one that counts, small ones.
    Raises:  as `extend_with_features`, `load_feature_tables`; what `check` raises; DuplicateKeys for a table with two
             values at one time; PublishConflict.
    """
    source = PinnedTable(rows.table_id, rows.version) if rows.origin is None else rows.origin.source
    origin, table = RowsOrigin(source, tuple(features)), _joined_table(attempt)
    described = _describe_joined_rows(attempt, rows, origin)
    landed = None if rows.table_id == NOT_LANDED else find_landed_rows(table, described.digest)
    if landed is None:
        tables = load_feature_tables(attempt, origin.features)
        schema = _joined_schema(attempt, rows.schema, tables)
        check(schema)
        _report_features(attempt, origin, None)
        if not lands:
            return Snapshot(rows.table, NOT_LANDED, 0, schema, tuple(dict.fromkeys(columns)), rows.keys, origin=origin)
        with attempt.phase("features"):
            landed = _land_joined_rows(attempt, rows, tables, table, described)
    schema = _visible_schema(spark_to_arrow_schema(table.load_schema(landed.version)))
    check(schema)
    _report_features(attempt, origin, landed)
    read = tuple(dict.fromkeys(columns))
    return Snapshot(table.ref, table.id, landed.version, schema, read, rows.keys, origin=origin)


def check_joined_columns(
    attempt: Attempt, features: Sequence[PinnedTable], check: SchemaCheck, schema: pa.Schema
) -> None:
    """Refuse columns that the run cannot be made from. `schema`: of rows whose features are joined later.

    Jobs:    none.
    Raises:  as `extend_with_features` and `load_feature_tables`; what `check` raises.
    """
    check(_joined_schema(attempt, schema, load_feature_tables(attempt, features)))


def load_unlanded_rows(attempt: Attempt, snapshot: Snapshot, cut: RowsCut | None = None) -> DataFrame:
    """The rows of a snapshot that is not landed, as they would be; nothing is written.

    `cut`: leaves out rows before features are joined.
    """
    origin = snapshot.origin
    if origin is None or origin.source.id == NOT_LANDED:
        rows = read_unlanded_rows(attempt)
    else:
        rows = _keep_own_rows(attempt, attempt.source.load_rows(origin.source.version))
    rows = rows if cut is None else cut(rows)
    return (
        rows if origin is None else _join_pinned_features(attempt, rows, load_feature_tables(attempt, origin.features))
    )


def _keep_own_rows(attempt: Attempt, rows: DataFrame) -> DataFrame:
    """The rows that meet the conditions on the source's own columns; what is landed has met them."""
    schema = spark_to_arrow_schema(rows.schema)
    own = [one for one in source_conditions(attempt.settings) if one.column in schema.names]
    return rows if attempt.settings.source.is_landed or not own else rows.where(to_spark_filter(own, schema))


def _join_pinned_features(
    attempt: Attempt, rows: DataFrame, tables: Sequence[FeatureTable], row_count: int | None = None
) -> DataFrame:
    """The rows with their features that meet the conditions on these."""
    schema = spark_to_arrow_schema(rows.schema)
    joined = join_features(rows, tables, find_row_times(attempt), row_count=row_count)
    own = [one for one in source_conditions(attempt.settings) if one.column not in schema.names]
    return joined.where(to_spark_filter(own, _joined_schema(attempt, schema, tables))) if own else joined


def _joined_table(attempt: Attempt) -> Table:
    settings = attempt.settings
    return attempt.open_table(landing_ref(settings.source.table, settings.landing_uri, attempt.as_of))


def _describe_joined_rows(attempt: Attempt, rows: Snapshot, origin: RowsOrigin) -> UnversionedSource:
    source, where = attempt.settings.source, source_conditions(attempt.settings)
    described = describe_features(source.features, source.event_time, source.event_timezone)
    filters = [condition.model_dump() for condition in source.where]
    read = "nothing" if not attempt.has_rows_to_score else PinnedTable(rows.table_id, rows.version).to_text()
    pins = [origin.source.to_text(), read, *(one.to_text() for one in origin.features)]
    shown = {one.table: pin.to_text() for one, pin in zip(source.features, origin.features, strict=True)}
    digest = json_digest(["joined", described, filters, pins])
    return UnversionedSource("delta", attempt.source.ref, where=where, digest=digest, shown=shown)


def _joined_schema(attempt: Attempt, schema: pa.Schema, tables: Sequence[FeatureTable]) -> pa.Schema:
    if not tables:
        return schema
    joins = [(one.join, found) for one, found in zip(tables, feature_schemas(tables), strict=True)]
    return extend_with_features(schema, joins, find_row_times(attempt), rows=attempt.source.name)


def _visible_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if field.name != ROW_FLAGS_COLUMN])


def _land_joined_rows(
    attempt: Attempt, rows: Snapshot, tables: Sequence[FeatureTable], table: Table, described: UnversionedSource
) -> LandedRows:
    number, job = count_landings(table, described.digest) + 1, attempt.settings.job
    with translate_spark_errors(f"joining features to the rows of {attempt.source.name}"):
        frame = snapshot_frame(attempt.spark, replace(rows, columns=tuple(rows.schema.names)))
        frame = frame if attempt.has_rows_to_score else frame.limit(0)
        told = attempt.report.increment
        joined = _join_pinned_features(attempt, frame, tables, None if told is None else told.rows_changed)
        version = write_landed_rows(
            joined, table, described, job=job, number=number, writer=uuid4().hex, is_unsure=True
        )
    if version is not None:
        found = count_matched_rows(table.load_rows(version), tables)
        adopt_landed_rows(table, described, number, found=found)
    landed = find_landed_rows(table, described.digest)
    if landed is None:
        raise PublishConflict(
            "another attempt joins the features of the same as_of",
            "one attempt at a time",
            "run it again when the other has ended",
        )
    return landed


def _report_features(attempt: Attempt, origin: RowsOrigin, landed: LandedRows | None) -> None:
    rows, matched = (None, ()) if landed is None else (landed.found.get("rows"), landed.found.get("matched", ()))
    attempt.report = replace(
        attempt.report,
        features=tuple(
            ReportedFeatures(
                one.table,
                pin.version,
                matched[place] if place < len(matched) else None,
                round(matched[place] / rows, 4) if rows and place < len(matched) else None,
            )
            for place, (one, pin) in enumerate(zip(attempt.settings.source.features, origin.features, strict=True))
        ),
    )
