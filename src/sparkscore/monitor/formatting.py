"""Describes a run in text and tables for a terminal. Never more than a few rows, never a secret."""

from collections.abc import Sequence

from rich.table import Table

from sparkscore.records import (
    MaintenanceReport,
    MigrationReport,
    OptimizationReport,
    RejectCount,
    ReportedIncrement,
    RuleVerdict,
    RunEvent,
    RunReport,
    SlaRule,
    StreamReport,
    TableMigration,
    to_utc_text,
)
from sparkscore.records.diagnosis_records import EnvironmentCheck


def describe_run(report: RunReport) -> str:
    """A few lines: what happened, with which model and source, where it is."""
    head = {
        "published": f"published {report.rows_scored or 0:,} predictions for {report.as_of}",
        "already_published": f"{report.as_of} is already published ({report.rows_scored or 0:,} rows): nothing done",
        "nothing_to_score": f"nothing to score for {report.as_of}: {_nothing_to_score_text(report)}",
        "superseded": f"{report.as_of} was superseded by a newer revision meanwhile",
        "dry_run": f"nothing was written for {report.as_of}",
    }.get(report.status, report.status)
    rejected = f", {report.rows_rejected:,} rows rejected" if report.rows_rejected else ""
    rejected += f", {report.rows_removed:,} rows removed whose keys are gone" if report.rows_removed else ""
    rate = f", {report.rows_per_second:,.0f} rows/s while scoring" if report.rows_per_second else ""
    lines = [f"{head}{rejected}, in {(report.seconds or {}).get('total', 0):.1f} s{rate}"]
    if report.model is not None:
        lines.append(f"model {report.model.name} version {report.model.version}")
    if report.model is not None and report.source is not None:
        lines.append(f"source {report.source.table} at version {report.source.version}")
    if report.increment is not None:
        lines.append(_increment_text(report.increment))
    if report.newer:
        newer = ", ".join(f"{what} {value}" for what, value in report.newer.items())
        lines.append(f"newer: {newer} (--replace takes it)")
    if report.drifted is not None:
        lines.append(
            f"drift: {report.drifted:,} columns, in all rows or in a segment, differ too much from the reference"
        )
    if report.sla_broken:
        lines.append(f"SLA broken: {', '.join(report.sla_broken)}")
    if report.report:
        lines.append(f"report {report.report}")
    lines += [f"export {one.name}: {one.status}, {one.target}" for one in report.exports]
    lines += [f"challenger {one.uri}: {one.error or f'{one.rows or 0:,} rows published'}" for one in report.challengers]
    if report.status in ("published", "already_published"):
        lines.append(f"table {report.table} at version {report.table_version}")
    return "\n".join(lines)


def describe_stream(report: StreamReport) -> str:
    """A few lines: how many micro-batches, with which model, how far behind the source."""
    passed = {
        "empty": report.batches_empty,
        "published before": report.batches_repeated,
        "quarantined": report.batches_quarantined,
    }
    further = "".join(f", {count:,} {what}" for what, count in passed.items() if count)
    rejected = f", {report.rows_rejected:,} rows rejected" if report.rows_rejected else ""
    rate = f", {report.rows_per_second:,.0f} rows/s in micro-batches" if report.rows_per_second else ""
    lines = [
        f"{report.status}: {report.rows_scored:,} predictions in {report.batches:,} micro-batches{further}{rejected},"
        f" in {report.seconds.get('total', 0):.1f} s{rate}"
    ]
    if report.first_as_of is not None:
        lines.append(f"as_of from {report.first_as_of} to {report.last_as_of}")
    if report.model is not None:
        versions = ", ".join(f"version {version}: {count:,}" for version, count in report.models.items())
        lines.append(f"model {report.model.name}; micro-batches by {versions or f'version {report.model.version}'}")
    if report.lag_behind:
        since = "" if report.lag_seconds is None else f", the oldest since {report.lag_seconds:.0f} s"
        lines.append(f"the source is {report.lag_behind:,} ahead{since}")
    if report.report:
        lines.append(f"report {report.report}")
    lines.append(f"table {report.table}; checkpoint {report.checkpoint}")
    return "\n".join(lines)


def events_table(events: Sequence[RunEvent]) -> Table:
    """Run events, one line each."""
    table = Table(box=None, pad_edge=False)
    for name in ("as_of", "revision", "attempt", "event", "at", "run", "scored", "rejected", "exit", "message"):
        table.add_column(
            name, justify="right" if name in ("revision", "attempt", "scored", "rejected", "exit") else "left"
        )
    for event in events:
        first = (event.message or "").splitlines()[:1]
        table.add_row(
            to_utc_text(event.as_of),
            str(event.revision),
            str(event.attempt),
            event.event,
            to_utc_text(event.at)[:19],
            (event.run_id or "")[:12],
            _optional_count_text(event.rows_scored),
            _optional_count_text(event.rows_rejected),
            _optional_count_text(event.exit_code),
            first[0] if first else "",
        )
    return table


def maintenance_table(report: MaintenanceReport) -> Table:
    """What each step of a maintenance did, or would do, and what it left as it is."""
    expired = (
        f"{report.as_of_expired:,} as_of before {report.expired_before}: {report.predictions_expired:,} predictions"
    )
    rows = [
        (
            "expire",
            "no output.retention_days: everything is kept"
            if report.expired_before is None
            else f"{expired}, {report.rejects_expired:,} rejects, {report.profiles_expired:,} profiles and distances,"
            f" {report.events_expired:,} events",
        ),
        ("stages", f"{report.stages_removed:,} removed, {report.stage_bytes_removed / 1e6:,.1f} MB"),
        ("landings", f"{report.landings_removed:,} removed, {report.landing_bytes_removed / 1e6:,.1f} MB"),
        ("models", f"{report.models_removed:,} copies removed, {report.model_bytes_removed / 1e6:,.1f} MB"),
        ("compact", f"{report.files_compacted:,} small files"),
        ("vacuum", f"{report.files_vacuumed:,} files removed"),
        *((f"{one.step}: skipped", f"{one.what}: {one.reason}") for one in report.skipped),
    ]
    return rows_table(("would do" if report.status == "dry_run" else report.status.replace("_", " "), ""), rows)


def migration_table(report: MigrationReport) -> Table:
    """What a migration changed in each table, or would change."""
    rows = [(one.table, "; ".join(_migration_texts(one))) for one in report.tables]
    rows = rows or [("nothing", "all tables of the job are as they should be")]
    return rows_table(("would do" if report.status == "dry_run" else report.status.replace("_", " "), ""), rows)


def _migration_texts(one: TableMigration) -> list[str]:
    texts = [
        f"schema {one.schema_before} to {one.schema_after}" if one.schema_before != one.schema_after else "",
        f"renamed from the job {one.renamed_from}" if one.renamed_from else "",
        f"adds {', '.join(one.added)}" if one.added else "",
        f"drops {', '.join(one.dropped)} with its values" if one.dropped else "",
        f"widens {', '.join(one.widened)}" if one.widened else "",
        "writes all rows anew" if one.is_rewrite else "",
    ]
    return [text for text in texts if text]


def suite_check_table(lines: Sequence[tuple[RuleVerdict, float | None, bool, Sequence[str]]]) -> Table:
    """The result of each rule of a suite: verdict, share of rows that break it, whether it rejects them, keys."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "rule", "observed", "expected", "rows failed", "examples"):
        table.add_column(name, justify="right" if name == "rows failed" else "left", overflow="fold")
    for verdict, share, rejects, examples in lines:
        broken = (
            "rejects" if rejects else {"critical": "FAILED", "warning": "warning", "info": "info"}[verdict.severity]
        )
        table.add_row(
            "ok" if verdict.passed else broken,
            verdict.rule,
            verdict.observed,
            verdict.expected,
            "" if share is None else f"{share:.3%}",
            "; ".join(examples),
        )
    return table


def sla_table(rules: Sequence[SlaRule]) -> Table:
    """The rules of an SLA, and whether they are kept."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "rule", "observed", "expected"):
        table.add_column(name, overflow="fold")
    for rule in rules:
        table.add_row("kept" if rule.kept else "BROKEN", rule.rule, rule.observed, rule.expected)
    return table


def checks_table(checks: Sequence[EnvironmentCheck]) -> Table:
    """What `doctor` has found, a line each, with the cure below it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for one in checks:
        cure = f"\n  do: {one.cure}" if one.cure and one.status != "ok" else ""
        table.add_row(one.status.upper() if one.status == "fail" else one.status, one.name, f"{one.found}{cure}")
    return table


def rejects_table(rejects: Sequence[RejectCount]) -> Table:
    """Rejected rows of runs, a line per reason."""
    table = Table(box=None, pad_edge=False)
    for name in ("as_of", "run", "code", "error", "rows"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for one in rejects:
        table.add_row(
            to_utc_text(one.as_of), one.run_id[:12], one.code, one.error or "", _optional_count_text(one.rows)
        )
    return table


def rows_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A few rows of a frame."""
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row))
    return table


def _increment_text(told: ReportedIncrement) -> str:
    deleted = f", {told.rows_deleted:,} deleted ({told.on_delete})" if told.rows_deleted else ""
    if told.since is None:
        return f"all rows of the source: {told.reason}{deleted}"
    changed = "" if told.rows_changed is None else f": {told.rows_changed:,} rows inserted or updated"
    return f"changes after version {told.since}, up to version {told.until}{changed}{deleted}"


def _nothing_to_score_text(report: RunReport) -> str:
    if report.increment is not None and report.increment.since is not None and not report.rows_read:
        return "nothing changed"
    return "no rejected row could be scored" if report.rows_read else "the source has no rows after the filter"


def _optional_count_text(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def optimization_table(report: OptimizationReport) -> Table:
    """The model and its candidates, one line each."""
    table = Table(box=None, pad_edge=False)
    names = ("model", "outcome", "rows/s", "speed-up", "over pyfunc", "p99 ms", "load s", "bytes", "max diff", "labels")
    for index, name in enumerate(names):
        table.add_column(name, justify="right" if index > 1 else "left")
    for one in report.measured:
        speed, found = one.speed, one.agreement
        cells = [
            None if speed is None else f"{speed.rows_per_second:,.0f}",
            None if one.speedup is None else f"{one.speedup:.2f}",
            None if one.speedup_over_pyfunc is None else f"{one.speedup_over_pyfunc:.2f}",
            None if speed is None else f"{speed.p99_ms:.3g}",
            None if speed is None else f"{speed.load_seconds:.3g}",
            None if one.bytes is None else f"{one.bytes:,}",
            None if found is None or found.max_difference is None else f"{found.max_difference:.2g}",
            None if found is None else f"{found.flips:,}",
        ]
        reason = f": {one.reason}" if one.status not in ("chosen", "within_tolerance", "parent") else ""
        table.add_row(one.name, f"{one.status.replace('_', ' ')}{reason}", *[cell or "-" for cell in cells])
    return table
