"""The types of a job's key columns."""

from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.ingest.key_rows import load_table_columns
from sparkscore.settings import Settings
from sparkscore.store.table import Table


def find_key_types(
    target: Table | None, spark: SparkSession | None, settings: Settings, columns: Mapping[str, str]
) -> pa.Schema:
    """The types of the key's columns: those of the prediction table, or of the source where there is none yet.

    `columns`: their names in the prediction table by those in the source.

    Jobs:    none.
    Raises:  ConfigError for key columns that the prediction table lacks; SparkNeeded, AccessDenied.
    """
    if target is not None:
        schema = load_table_columns(target)
        missing = [name for name in columns.values() if name not in schema.names]
        if missing:
            raise ConfigError(
                f"{target.name} has no column {', '.join(missing)}, which source.keys of the config names",
                f"key columns that the prediction table has: {', '.join(schema.names)}",
                "use the config of the job that writes it",
            )
        return pa.schema([schema.field(name) for name in columns.values()])
    source = Table.from_name(spark, settings.source.table, home=settings.home_uri)
    try:
        found = None if settings.source.is_landed else load_table_columns(source)
    except TableNotFound:
        found = None
    if found is None or any(name not in found.names for name in columns):
        return pa.schema([(name, pa.string()) for name in columns.values()])
    return pa.schema([pa.field(name, found.field(source_name).type) for source_name, name in columns.items()])
