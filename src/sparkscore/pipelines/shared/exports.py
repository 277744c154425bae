"""Exports of what is published, after the publication; what is missing is made up for by a later call."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import pyarrow as pa

from sparkscore.errors import ConfigError, ErrorSummary, ExportFailed, ScanUnsupported, SparkscoreError
from sparkscore.export.export_columns import choose_export_columns
from sparkscore.ingest.published_rows import open_published_rows
from sparkscore.lifecycle import exported_targets, list_publications
from sparkscore.pipelines.shared.deleted_keys import count_marks
from sparkscore.pipelines.shared.export_targets import Export, open_exports
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ExportedRun, ExportStatus, ReportedExport, Run, RunEvent, TargetState
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.type_mapping import spark_to_arrow_schema


def export_publication(attempt: Attempt, run: Run, *, rows: int) -> None:
    """Make the exports of a run that this attempt has published. None that fails undoes it: exit code 75.

    Jobs:    none; one for each partition where only Spark reads the prediction table.
    """
    published = ExportedRun(run.identity_job, run.as_of, run.run_id, run.revision, rows, attempt.settings.output_keys)
    published = replace(published, has_marks=count_marks(attempt) > 0)
    _make_exports(attempt, published, open_exports(attempt))


def make_up_for_exports(attempt: Attempt, current: RunEvent | None) -> None:
    """Make the exports that the current publication lacks by its run events; without a session where none is needed.

    Jobs:    as `export_publication`.
    Raises:  ConfigError, SparkNeeded.
    """
    if current is None:
        return
    made = exported_targets(attempt.earlier_events, current.run_id)
    missing = [export for export in open_exports(attempt) if export.identity not in made]
    job, keys = attempt.first_job or attempt.settings.job, attempt.settings.output_keys
    published = ExportedRun(job, attempt.as_of, current.run_id or "", current.revision, current.rows_scored or 0, keys)
    published = replace(published, has_marks=current.rows_marked > 0)
    _make_exports(attempt, published, missing)


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
        f"{len(failures)} of {len(attempt.report.exports)} exports failed; the predictions are published:"
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
        export.name,
        export.format,
        export.target.description,
        status,
        rows=run.rows if status == "exported" else None,
        seconds=round(time.monotonic() - started, 3),
        error=None if failure is None else failure.found,
    )
    return made, failure


def _replace_rows(attempt: Attempt, run: ExportedRun, export: Export) -> TargetState:
    schema = spark_to_arrow_schema(attempt.target.refresh().schema)
    columns = choose_export_columns(schema, export.columns, run.keys)
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
