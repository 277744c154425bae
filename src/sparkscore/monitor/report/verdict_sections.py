"""Sections on the gates' rules, the SLA rules, and the rejected rows."""

from sparkscore.monitor.report.charts import BarRow, bar_chart
from sparkscore.monitor.report.page_parts import Cell, Figure, PageTable, Section
from sparkscore.monitor.report.text_formats import count_text, share_text
from sparkscore.records import RejectCount, RuleVerdict, RunPage, SlaRule, Verdict

_MAX_REASONS = 12


def verdicts_section(page: RunPage) -> Section:
    """A table per gate, and one of the SLA rules."""
    tables = [_gate_table(verdict) for verdict in page.verdicts]
    if page.sla:
        rows = tuple(_sla_row(rule) for rule in page.sla)
        tables.append(PageTable("SLA", ("", "Rule", "Observed", "Expected"), rows))
    return Section("Verdicts", "" if tables else "No gate judged this run.", tables=tuple(tables))


def _gate_table(verdict: Verdict) -> PageTable:
    passed = sum(rule.passed for rule in verdict.rules)
    ordered = sorted(verdict.rules, key=lambda rule: rule.passed)
    return PageTable(
        f"{verdict.gate.capitalize()} gate",
        ("", "Rule", "Observed", "Expected"),
        tuple(_rule_row(rule) for rule in ordered),
        f"{passed} of {count_text(len(verdict.rules), 'rule')} of the suite {verdict.suite} passed.",
    )


def _rule_row(rule: RuleVerdict) -> tuple[Cell, ...]:
    cells = {"critical": Cell("failed", "bad"), "warning": Cell("warned", "warn"), "info": Cell("noted", "warn")}
    first = Cell("passed", "good") if rule.passed else cells[rule.severity]
    return (first, Cell(rule.rule), Cell(rule.observed), Cell(rule.expected))


def _sla_row(rule: SlaRule) -> tuple[Cell, ...]:
    first = Cell("kept", "good") if rule.kept else Cell("broken", "bad")
    return (first, Cell(rule.rule), Cell(rule.observed), Cell(rule.expected))


def rejects_section(page: RunPage) -> Section:
    """Rejected rows by reason, the most frequent first."""
    title, rejects = "Rejects by reason", sorted(page.rejects, key=lambda one: -one.rows)
    if not rejects:
        rejected = page.report.rows_rejected
        return Section(
            title,
            f"{count_text(rejected, 'row')} rejected; the reasons are not known."
            if rejected
            else "No row was rejected.",
        )
    total = sum(one.rows for one in rejects)
    rows = [
        BarRow(_reject_reason_text(one), f"{count_text(one.rows, 'row')}, {share_text(one.rows, total)}", one.rows)
        for one in rejects
    ]
    more = f" {count_text(len(rows) - _MAX_REASONS, 'reason')} more." if len(rows) > _MAX_REASONS else ""
    read = page.report.rows_read
    share = f", {share_text(total, read)} of the rows read" if read else ""
    caption = f"{count_text(total, 'row')} rejected{share}; most often for {_reject_reason_text(rejects[0])}.{more}"
    return Section(title, figures=(Figure("", bar_chart(rows[:_MAX_REASONS]), caption),))


def _reject_reason_text(reject: RejectCount) -> str:
    return f"{reject.code} ({reject.error})" if reject.error else reject.code
