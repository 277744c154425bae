"""The groups of a run's rows: which there are, how many rows each has, and which model a table gives them."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.shared.joined_source import load_unlanded_rows
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import NOT_LANDED
from sparkscore.records import Group, PinnedTable, Snapshot
from sparkscore.settings.model_groups import find_placeholders
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import has_types_of_spark_alone, spark_to_arrow_schema
from sparkscore.store.table import Table

MAX_GROUPS = 100_000
"""The driver resolves the model of each."""
_COUNT_COLUMN = "_rows"


def group_text(column: str) -> Column:
    """A value of a group's column as text: the same for equal values, whatever the type is. NULL stays NULL."""
    return F.col(quote_identifier(column)).cast("string")


def check_group_columns(schema: pa.Schema, columns: Sequence[str], *, table: str) -> None:
    """Refuse columns that the table lacks, or whose values are no plain names.

    Raises:  ConfigError.
    """
    absent = [name for name in columns if name not in schema.names]
    if absent:
        raise ConfigError(
            f"{table} has no column {', '.join(absent)}, by which models are grouped",
            f"one of {', '.join(schema.names[:30])}",
            "correct model.by, or model.uri where model.groups is set",
        )
    unfit = [name for name in columns if not _is_group_type(schema.field(name).type)]
    collated = has_types_of_spark_alone(pa.schema([schema.field(name) for name in columns]))
    if unfit or collated:
        shown = ", ".join(f"{name} ({schema.field(name).type})" for name in unfit or columns)
        raise ConfigError(
            f"groups cannot be told by {shown} of {table}",
            "text without a collation, whole numbers, booleans or dates",
            "cast the column in the source",
        )


def _is_group_type(kind: pa.DataType) -> bool:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind))


def count_rows_of_groups(frame: DataFrame, columns: Sequence[str], *, table: str) -> Mapping[Group | None, int]:
    """How many rows each group has; those with NULL in a column of the group are no group's: None.

    Jobs:    one, which reads these columns.
    Raises:  ConfigError for more groups than the driver resolves.
    """
    texts = [group_text(name).alias(f"g{place}") for place, name in enumerate(columns)]
    counted = frame.groupBy(*texts).agg(F.count(F.lit(1)).alias(_COUNT_COLUMN))
    with translate_spark_errors(f"counting the groups of {table}"):
        rows = counted.limit(MAX_GROUPS + 1).collect()
    if len(rows) > MAX_GROUPS:
        raise ConfigError(
            f"{table} has more than {MAX_GROUPS:,} groups of {', '.join(columns)}",
            f"at most {MAX_GROUPS:,}",
            "name columns with fewer values in model.by, or filter the source",
        )
    counts: dict[Group | None, int] = {}
    for *values, count in rows:
        group = None if None in values else tuple(values)
        counts[group] = counts.get(group, 0) + count
    return counts


def count_source_groups(attempt: Attempt, snapshot: Snapshot) -> Mapping[Group | None, int]:
    """The same of the source, pinned or not landed yet.

    Jobs:    as `count_rows_of_groups`.
    """
    is_landed = snapshot.table_id != NOT_LANDED
    frame = ingest.snapshot_frame(attempt.spark, snapshot) if is_landed else load_unlanded_rows(attempt, snapshot)
    return count_rows_of_groups(frame, attempt.settings.model.by, table=snapshot.table.name)


def pin_group_table(attempt: Attempt, kept: PinnedTable | None) -> tuple[Table, PinnedTable] | None:
    """The table that maps groups to models at its newest version; None where the config names none.

    Raises:  TableNotFound.
    """
    groups = attempt.settings.model.groups
    if groups is None:
        return None
    table = Table.from_name(attempt.spark, groups.table, home=attempt.settings.home_uri)
    return table, kept or PinnedTable(table.id, table.load_newest_version())


def load_group_table(attempt: Attempt, table: Table, version: int) -> Mapping[Group, Mapping[str, str | None]]:
    """What the template of `model.uri` names, of each group of the table. Rows without a group are left out.

    Jobs:    one, which reads these columns.
    Raises:  ConfigError for a table that lacks a column, is too large, or has a group twice.
    """
    model = attempt.settings.model
    names = tuple(dict.fromkeys((*model.by, *find_placeholders(model.uri))))
    frame = table.load_rows(version)
    check_group_columns(spark_to_arrow_schema(frame.schema), names, table=table.name)
    selected = frame.select(*(group_text(name).alias(f"g{place}") for place, name in enumerate(names)))
    with translate_spark_errors(f"reading {table.name}"):
        rows = selected.na.drop(subset=selected.columns[: len(model.by)]).limit(MAX_GROUPS + 1).collect()
    if len(rows) > MAX_GROUPS:
        raise ConfigError(f"{table.name} has more than {MAX_GROUPS:,} rows", "one row per group", "filter the table")
    found = {tuple(row[: len(model.by)]): dict(zip(names, row, strict=True)) for row in rows}
    if len(found) < len(rows):
        raise ConfigError(
            f"{table.name} has {len(rows) - len(found):,} more rows than groups of {', '.join(model.by)}",
            "each group once: else it would be left to chance which model scores it",
            "make the table's groups unique, or add a column to model.by",
        )
    return found
