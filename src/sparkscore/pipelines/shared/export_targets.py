"""The exports of the config: where they go, and whether they can be made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from sparkscore.errors import ConfigError, ExportFailed
from sparkscore.export.database_connection import find_address
from sparkscore.export.export_columns import choose_export_columns
from sparkscore.export.folder_export import FolderExport
from sparkscore.pipelines.shared.reachable_folders import locate_reachable_folder
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.feature_table import FeatureTableOutput
from sparkscore.publish.queue_table import QueueTable
from sparkscore.records import ExportTarget
from sparkscore.schemas import QUEUE_SUFFIX
from sparkscore.settings.derived_table_settings import FEATURE_TABLE_EXPORT, QUEUE_EXPORT
from sparkscore.settings.export_settings import ExportSettings
from sparkscore.settings.output_settings import OutputSettings
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table

NO_COLUMNS = pa.schema([])


@dataclass(frozen=True, slots=True)
class Export:
    """An export of the config, or a table that is made of what is published, and where it goes."""

    name: str
    format: str
    target: ExportTarget
    columns: tuple[str, ...] = ()
    """As `ExportSettings.columns`."""

    @property
    def identity(self) -> tuple[str, str]:
        """By which run events tell whether it was made."""
        return self.name, self.target.description


def check_exports(attempt: Attempt, columns: pa.Schema = NO_COLUMNS) -> None:
    """Refuse exports that cannot be made, before the run costs anything. A database that does not answer is a warning.

    Needs:   `columns` that the run publishes; those that the table has are known here.
    Jobs:    none.
    Raises:  ConfigError.
    """
    exports = open_exports(attempt)
    if not exports:
        return
    keys, schema = attempt.settings.output_keys, _table_columns(attempt, columns)
    for export in exports:
        name, named = export.name, export.columns
        missing = [column for column in named if column not in schema.names]
        if missing:
            raise ConfigError(
                f"the export {name} names columns that the prediction table does not have: {', '.join(missing)}",
                f"columns of {', '.join(schema.names)}",
                "correct its `columns`",
            )
        chosen = choose_export_columns(schema, named, keys)
        export.target.check_columns(pa.schema([schema.field(column) for column in chosen]), keys)
        _check_owner(attempt, export)


def open_exports(attempt: Attempt) -> list[Export]:
    """The exports of the config with their targets. Asks no target.

    Raises:  ConfigError.
    """
    wanted = attempt.settings.output.exports
    exports = [Export(one.name, one.format, _open_target(attempt, one), one.columns) for one in wanted]
    exports += _open_derived_tables(attempt)
    targets = [export.target.description for export in exports]
    same = [export.name for export in exports if targets.count(export.target.description) > 1]
    if same:
        raise ConfigError(f"the exports {', '.join(same)} go to one target", "a target for each", "remove one of them")
    return exports


def _open_derived_tables(attempt: Attempt) -> Iterator[Export]:
    """The queue and the feature table."""
    output, job = attempt.settings.output, attempt.settings.job
    if output.queue is not None:
        yield Export(QUEUE_EXPORT, "delta", QueueTable(attempt.target, output.queue, job))
    if output.feature_table is not None:
        table = Table.from_name(attempt.session, output.feature_table.table, home=attempt.settings.home_uri)
        target = FeatureTableOutput(attempt.target, table, output.feature_table, job)
        yield Export(FEATURE_TABLE_EXPORT, "delta", target)


def _open_target(attempt: Attempt, settings: ExportSettings) -> ExportTarget:
    if not settings.is_folder:
        uri, options = (settings.uri, settings.uri_variable), (settings.options, settings.option_variables)
        address = find_address(settings.format, settings.driver, uri, options)
        from sparkscore.export.database_export import DatabaseExport

        address = replace(address, hides_values=bool(attempt.settings.source.sensitive))
        return DatabaseExport(address, name=settings.name, table=settings.table_parts)
    path = settings.path or ""
    location = locate_reachable_folder(
        attempt,
        path,
        problem=f"the folder of the export {settings.name} cannot be reached without Spark",
        advice="name another folder, or see docs/exports.md",
    )
    return FolderExport(location, name=settings.name, kind=settings.format, path=path)


def _table_columns(attempt: Attempt, columns: pa.Schema) -> pa.Schema:
    """What the prediction table will have: the columns of the run, and those that it has besides."""
    there = spark_to_arrow_schema(attempt.target.schema) if attempt.target.exists() else pa.schema([])
    return pa.schema([*columns, *(field for field in there if field.name not in columns.names)])


def _check_owner(attempt: Attempt, export: Export) -> None:
    try:
        owner = export.target.find_owner()
    except ExportFailed as error:
        attempt.warn(f"the export {export.name} may fail after the publication: {error.found}")
        return
    job = attempt.first_job or attempt.settings.job
    if owner not in (None, job):
        raise ConfigError(
            f"{export.target.description} belongs to an export of the job {owner}",
            f"a target for the job {job}",
            f"name another target in the export {export.name}",
        )


def describe_exports(output: OutputSettings) -> Iterator[str]:
    """The exports of the config, and the tables that are made of what is published, in words."""
    for one in output.exports:
        where = one.path if one.is_folder else f"table {one.table}"
        yield f"{one.name}: {one.format}, {where}"
    if output.queue is not None:
        yield f"{QUEUE_EXPORT}: the first {output.queue.top:,} rows, table {output.table}{QUEUE_SUFFIX}"
    if output.feature_table is not None:
        yield f"{FEATURE_TABLE_EXPORT}: table {output.feature_table.table}"
