"""Whether feature tables can be joined to the rows: columns, types, names. Everything before a row is read."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.ingest.column_checks import format_column_names, suggest_column_name
from sparkscore.ingest.features.feature_times import check_time_column
from sparkscore.ingest.features.feature_values import is_zoneless
from sparkscore.records import FeatureJoin, RowTimes
from sparkscore.spark.type_mapping import describe_source_type, has_types_of_spark_alone


def extend_with_features(
    schema: pa.Schema, joins: Sequence[tuple[FeatureJoin, pa.Schema]], times: RowTimes, *, rows: str
) -> pa.Schema:
    """The columns of the rows, and those that the joins add. `rows`: the table of the rows, in words.

    Jobs:    none.
    Raises:  ConfigError for columns that are absent, keys or times of types that do not fit, and names that are taken.
    """
    _check_event_time(schema, times, rows)
    for join, found in joins:
        _require_columns(found, join.read_columns, join.table, "source.features")
        _require_columns(schema, [name for name, _ in join.keys], rows, "keys of source.features")
        _check_keys(schema, found, join, rows)
        _check_value_times(found, join)
    added = [field for join, found in joins for field in _added_fields(join, found)]
    _refuse_taken_names(schema, [field.name for field in added], rows)
    return pa.schema([*schema, *added])


def _require_columns(schema: pa.Schema, names: Iterable[str], table: str, setting: str) -> None:
    absent = [suggest_column_name(name, schema.names) for name in dict.fromkeys(names) if name not in schema.names]
    if absent:
        raise ConfigError(
            f"{table} has no column {'; no column '.join(absent)}, which {setting} names",
            "names of its columns, case included",
            f"choose from {format_column_names(schema.names)}",
        )


def _check_event_time(schema: pa.Schema, times: RowTimes, rows: str) -> None:
    if times.column is not None:
        _require_columns(schema, [times.column], rows, "source.event_time")
        setting = "source.event_timezone"
        field = schema.field(times.column)
        check_time_column(field, table=rows, use="event_time", timezone=times.timezone, setting=setting)


def _check_keys(schema: pa.Schema, found: pa.Schema, join: FeatureJoin, rows: str) -> None:
    for name, column in join.keys:
        mine, theirs = schema.field(name), found.field(column)
        if _key_type(mine) != _key_type(theirs) or not _has_exact_keys(mine.type):
            raise ConfigError(
                f"{name} of {rows} is of the type {describe_source_type(mine)}, and {column} of the feature table"
                f" {join.table} of {describe_source_type(theirs)}",
                "keys of one type: whole numbers, text, booleans, dates, timestamps, or decimals of one precision",
                "cast one of them in its table: a value that is changed on the way would match other rows",
            )


def _key_type(field: pa.Field) -> object:
    if has_types_of_spark_alone(pa.schema([field])):
        return None, describe_source_type(field)
    return pa.int64() if pa.types.is_integer(field.type) else field.type


def _has_exact_keys(kind: pa.DataType) -> bool:
    return not (pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_null(kind))


def _check_value_times(found: pa.Schema, join: FeatureJoin) -> None:
    named = [("time", join.time), *([] if join.known_at is None else [("known_at", join.known_at)])]
    kinds = [found.field(name).type for _, name in named]
    # one of the two may have a zone of its own
    zone = join.timezone
    mixed = zone is not None and len({_needs_zone(kind) for kind in kinds}) > 1
    for use, name in named:
        field = found.field(name)
        asked = None if mixed and not _needs_zone(field.type) else zone
        setting = "timezone in source.features"
        check_time_column(field, table=f"the feature table {join.table}", use=use, timezone=asked, setting=setting)


def _needs_zone(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date32(kind)) and is_zoneless(kind)


def _added_fields(join: FeatureJoin, found: pa.Schema) -> list[pa.Field]:
    unknown = [column for _, column in join.columns if pa.types.is_null(found.field(column).type)]
    if unknown:
        shown = ", ".join(f"{name} ({describe_source_type(found.field(name))})" for name in unknown)
        raise ConfigError(
            f"the feature table {join.table} has {shown}",
            "columns of types that Arrow has",
            "leave them out of columns, or cast them in the table",
        )
    return [found.field(column).with_name(name).with_nullable(True) for name, column in join.columns]


def _refuse_taken_names(schema: pa.Schema, names: Sequence[str], rows: str) -> None:
    own = {name.lower(): name for name in schema.names}
    taken = [name for name in names if name.lower() in own]
    if taken:
        raise ConfigError(
            f"source.features would add columns that {rows} has already: {', '.join(taken)}",
            "other names, whatever the case",
            "set prefix, or columns: {new name: column}, of the feature table",
        )
