"""Describes a run in text and tables for a terminal. Never more than a few rows, never a secret."""

from collections.abc import Sequence

from rich.table import Table

from sparkscore.records import (
    MaintenanceReport,
    MigrationReport,
    RejectCount,
    RuleVerdict,
    RunEvent,
    RunReport,
    SlaRule,
    TableMigration,
    to_utc_text,
)


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
    if report.status in ("published", "already_published"):
        lines.append(f"table {report.table} at version {report.table_version}")
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


def _nothing_to_score_text(report: RunReport) -> str:
    return "no rejected row could be scored" if report.rows_read else "the source has no rows after the filter"


def _optional_count_text(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
