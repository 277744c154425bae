"""Exports of what is published, after the publication; what is missing is made up for by a later call."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from sparkscore.errors import ConfigError, ErrorSummary, ExportFailed, ScanUnsupported, SparkscoreError
from sparkscore.export.database_connection import find_address
from sparkscore.export.export_columns import choose_export_columns
from sparkscore.export.folder_export import FolderExport
from sparkscore.ingest.published_rows import open_published_rows
from sparkscore.lifecycle import exported_targets, list_publications
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import (
    ExportedRun,
    ExportStatus,
    ExportTarget,
    ReportedExport,
    Run,
    RunEvent,
    TableRef,
    TargetState,
)
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings.export_settings import ExportSettings
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table_location import locate_table


@dataclass(frozen=True, slots=True)
class Export:
    """An export of the config, and where it goes."""

    settings: ExportSettings
    target: ExportTarget

    @property
    def identity(self) -> tuple[str, str]:
        """By which run events tell whether it was made."""
        return self.settings.name, self.target.description


def check_exports(attempt: Attempt, columns: pa.Schema) -> None:
    """Refuse exports that cannot be made, before the run costs anything. A database that does not answer is a warning.

    Needs:   `columns` that the run publishes; those that the table has besides are known here.
    Jobs:    none.
    Raises:  ConfigError.
    """
    exports = _open_exports(attempt)
    if not exports:
        return
    keys, schema = attempt.settings.output_keys, _table_columns(attempt, columns)
    for export in exports:
        name, named = export.settings.name, export.settings.columns
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


def export_publication(attempt: Attempt, run: Run, *, rows: int) -> None:
    """Make the exports of a run that this attempt has published. None that fails undoes it: exit code 75.

    Jobs:    none; one for each partition where only Spark reads the prediction table.
    """
    published = ExportedRun(run.identity_job, run.as_of, run.run_id, run.revision, rows, attempt.settings.output_keys)
    _make_exports(attempt, published, _open_exports(attempt))


def make_up_for_exports(attempt: Attempt, current: RunEvent | None) -> None:
    """Make the exports that the current publication lacks by its run events; without a session where none is needed.

    Jobs:    as `export_publication`.
    Raises:  ConfigError, SparkNeeded.
    """
    if current is None or not attempt.settings.output.exports:
        return
    made = exported_targets(attempt.earlier_events, current.run_id)
    missing = [export for export in _open_exports(attempt) if export.identity not in made]
    job, keys = attempt.first_job or attempt.settings.job, attempt.settings.output_keys
    published = ExportedRun(job, attempt.as_of, current.run_id or "", current.revision, current.rows_scored or 0, keys)
    _make_exports(attempt, published, missing)


def _open_exports(attempt: Attempt) -> list[Export]:
    exports = [Export(one, _open_target(attempt, one)) for one in attempt.settings.output.exports]
    targets = [export.target.description for export in exports]
    same = [export.settings.name for export in exports if targets.count(export.target.description) > 1]
    if same:
        raise ConfigError(f"the exports {', '.join(same)} go to one target", "a target for each", "remove one of them")
    return exports


def _open_target(attempt: Attempt, settings: ExportSettings) -> ExportTarget:
    if not settings.is_folder:
        uri, options = (settings.uri, settings.uri_variable), (settings.options, settings.option_variables)
        address = find_address(settings.format, settings.driver, uri, options)
        from sparkscore.export.database_export import DatabaseExport

        address = replace(address, hides_values=bool(attempt.settings.source.sensitive))
        return DatabaseExport(address, name=settings.name, table=settings.table_parts)
    path = settings.path or ""
    try:
        location = locate_table(attempt.session, TableRef(path, path))
    except ScanUnsupported as error:
        attempt.require_session()  # which may know more of the store
        raise ConfigError(
            f"the folder of the export {settings.name} cannot be reached without Spark: {error.found}",
            "a local folder, or a store that pyarrow reaches with the session's credentials",
            "name another folder, or see docs/exports.md",
        ) from error
    return FolderExport(location, name=settings.name, kind=settings.format, path=path)


def _table_columns(attempt: Attempt, columns: pa.Schema) -> pa.Schema:
    """What the prediction table will have: the columns of the run, and those that it has besides."""
    there = spark_to_arrow_schema(attempt.target.schema) if attempt.target.exists() else pa.schema([])
    return pa.schema([*columns, *(field for field in there if field.name not in columns.names)])


def _check_owner(attempt: Attempt, export: Export) -> None:
    try:
        owner = export.target.find_owner()
    except ExportFailed as error:
        attempt.warn(f"the export {export.settings.name} may fail after the publication: {error.found}")
        return
    job = attempt.first_job or attempt.settings.job
    if owner not in (None, job):
        raise ConfigError(
            f"{export.target.description} belongs to an export of the job {owner}",
            f"a target for the job {job}",
            f"name another target in the export {export.settings.name}",
        )


def _make_exports(attempt: Attempt, run: ExportedRun, exports: Sequence[Export]) -> None:
    if not exports:
        return
    failures = []
    with attempt.phase("export"):
        for export in exports:
            made, error = _make_export(attempt, run, export)
            attempt.report = replace(attempt.report, exports=(*attempt.report.exports, made))
            if error is None:
                attempt.record_export(asdict(made), rows=run)
            else:
                failures.append((made, error))
    _report_failures(attempt, run, failures)


def _report_failures(
    attempt: Attempt, run: ExportedRun, failures: Sequence[tuple[ReportedExport, SparkscoreError]]
) -> None:
    if not failures:
        return
    for made, _ in failures:
        attempt.warn(f"the export {made.name} failed: {made.error}")
    first = failures[0][1]
    failed = ExportFailed(
        f"{len(failures)} of {len(attempt.settings.output.exports)} exports failed; the predictions are published:"
        f" {failures[0][0].name}: {first.found}",
        first.expected,
        first.do if isinstance(first, ConfigError) else ExportFailed.remedy,
    )
    attempt.exit_code = ExportFailed.exit_code
    attempt.report = replace(attempt.report, error=ErrorSummary.from_error(failed), exit_code=attempt.exit_code)
    alerts = attempt.send_run_alerts()
    for made, error in failures:
        attempt.record_export({**asdict(made), "alerts": alerts}, rows=run, failure=error)


def _make_export(attempt: Attempt, run: ExportedRun, export: Export) -> tuple[ReportedExport, SparkscoreError | None]:
    started = time.monotonic()
    try:
        state = _replace_rows(attempt, run, export)
        status, failure = _export_status(attempt, run, state), None
    except Exception as error:  # noqa: BLE001  whatever it is, readers see the run
        known = error if isinstance(error, SparkscoreError) else to_sparkscore_error(error, "exporting")
        sensitive = bool(attempt.settings.source.sensitive)
        text = type(error).__name__ if sensitive else shorten_redacted(f"{type(error).__name__}: {error}", 500)
        failure, status = known or ExportFailed(text), "failed"
    made = ReportedExport(
        export.settings.name,
        export.settings.format,
        export.target.description,
        status,
        rows=run.rows if status == "exported" else None,
        seconds=round(time.monotonic() - started, 3),
        error=None if failure is None else failure.found,
    )
    return made, failure


def _replace_rows(attempt: Attempt, run: ExportedRun, export: Export) -> TargetState:
    schema = spark_to_arrow_schema(attempt.target.refresh().schema)
    columns = choose_export_columns(schema, export.settings.columns, run.keys)
    export.target.check_columns(pa.schema([schema.field(name) for name in columns]), run.keys)
    rows = open_published_rows(attempt.target, run, columns)
    try:
        return export.target.replace_rows(run, rows)
    except ScanUnsupported:  # found in the middle; the next pass is Spark's
        return export.target.replace_rows(run, rows)


def _export_status(attempt: Attempt, run: ExportedRun, state: TargetState) -> ExportStatus:
    """How it ended.

    Raises:  ExportFailed for a target with a later revision than there is: it is another home's, or the job began anew.
    """
    if state.run_id == run.run_id:
        return "exported"
    newest = max((event.revision for event in list_publications(attempt.load_as_of_events())), default=0)
    if state.revision <= newest:
        return "superseded"
    raise ExportFailed(
        f"the target holds revision {state.revision} of this as_of, and the job's newest one is {newest}",
        "a target that only this job writes, since its first run",
        "remove the as_of there, with what says its revision (docs/exports.md), and run the command again",
    )


def describe_exports(exports: Sequence[ExportSettings]) -> Iterator[str]:
    """The exports of the config, in words."""
    for one in exports:
        where = one.path if one.is_folder else f"table {one.table}"
        yield f"{one.name}: {one.format}, {where}"
