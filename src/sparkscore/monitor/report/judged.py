"""What was judged: the gates' rules, the promises, the rows that were rejected."""

from sparkscore.monitor.report.charts import Row, bars
from sparkscore.monitor.report.parts import Cell, Figure, Section, Table
from sparkscore.monitor.report.words import counted, share
from sparkscore.records import RejectCount, RuleVerdict, RunPage, SlaRule, Verdict

_MOST = 12


def judged(page: RunPage) -> Section:
    """A table per gate, and one of the promises."""
    tables = [_gate(verdict) for verdict in page.verdicts]
    if page.sla:
        rows = tuple(_promise(rule) for rule in page.sla)
        tables.append(Table("Promises (SLA)", ("", "Promise", "Observed", "Expected"), rows))
    return Section("Verdicts", "" if tables else "No gate judged this run.", tables=tuple(tables))


def _gate(verdict: Verdict) -> Table:
    passed = sum(rule.passed for rule in verdict.rules)
    ordered = sorted(verdict.rules, key=lambda rule: rule.passed)
    return Table(
        f"{verdict.gate.capitalize()} gate",
        ("", "Rule", "Observed", "Expected"),
        tuple(_rule(rule) for rule in ordered),
        f"{passed} of {counted(len(verdict.rules), 'rule')} of the suite {verdict.suite} passed.",
    )


def _rule(rule: RuleVerdict) -> tuple[Cell, ...]:
    ended = {"critical": Cell("failed", "bad"), "warning": Cell("warned", "warn"), "info": Cell("noted", "warn")}
    first = Cell("passed", "good") if rule.passed else ended[rule.severity]
    return (first, Cell(rule.rule), Cell(rule.observed), Cell(rule.expected))


def _promise(rule: SlaRule) -> tuple[Cell, ...]:
    first = Cell("kept", "good") if rule.kept else Cell("broken", "bad")
    return (first, Cell(rule.rule), Cell(rule.observed), Cell(rule.expected))


def rejected(page: RunPage) -> Section:
    """Rejected rows by reason, the most frequent first."""
    title, found = "Rejects by reason", sorted(page.rejects, key=lambda one: -one.rows)
    if not found:
        many = page.report.rows_rejected
        return Section(
            title, f"{counted(many, 'row')} rejected; the reasons are not known." if many else "No row was rejected."
        )
    total = sum(one.rows for one in found)
    rows = [Row(_reason(one), f"{counted(one.rows, 'row')}, {share(one.rows, total)}", one.rows) for one in found]
    more = f" {counted(len(rows) - _MOST, 'reason')} more." if len(rows) > _MOST else ""
    read = page.report.rows_read
    of = f", {share(total, read)} of the rows read" if read else ""
    says = f"{counted(total, 'row')} rejected{of}; most often for {_reason(found[0])}.{more}"
    return Section(title, figures=(Figure("", bars(rows[:_MOST]), says),))


def _reason(one: RejectCount) -> str:
    return f"{one.code} ({one.error})" if one.error else one.code
