"""The top of a run's report, and what the run read, with which model."""

from sparkscore.monitor.report.page_parts import Fact, PageHead, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, day_text, duration_text, number_text, share_text
from sparkscore.records import ReportedGroups, ReportedIncrement, ReportedModel, ReportedSource, RunPage, RunReport

_STATUS_TITLES = {
    "published": "Published",
    "already_published": "Published already",
    "superseded": "Superseded by a newer revision",
    "nothing_to_score": "Nothing to score",
    "dry_run": "Dry run: nothing written",
    "failed": "Failed",
    "aborted": "Aborted",
    "unfinished": "Not ended",
}


def run_head(page: RunPage) -> PageHead:
    """What happened, in one sentence and a few figures."""
    report = page.report
    error = report.error
    retry = "A retry may help." if error and error.retryable else "A retry will not help until the cause is removed."
    is_published = report.status in ("published", "already_published")
    identity = [f"run {report.run_id or UNKNOWN}", f"as of {report.as_of or UNKNOWN}"]
    identity += [f"{name} {value}" for name in ("revision", "attempt") if (value := getattr(report, name)) is not None]
    return PageHead(
        kind=f"Run report of {report.job}",
        title=day_text(report.as_of),
        sentence=_run_sentence(report),
        mark="good" if is_published else "bad" if report.status == "failed" else "",
        state=_STATUS_TITLES.get(report.status, report.status),
        error=(error.class_name, error.message, retry) if error else (),
        warnings=tuple(report.warnings),
        facts=_run_facts(page),
        small=" · ".join(identity),
    )


def _run_sentence(report: RunReport) -> str:
    duration = f" in {duration_text(report.seconds['total'])}" if report.seconds.get("total") is not None else ""
    if report.status == "failed":
        return f"The run ended with exit code {report.exit_code}{duration.replace(' in ', ' after ', 1)}."
    if report.status == "aborted":
        return "The attempt ended without a publication."
    if report.status == "unfinished":
        return "No event says that the attempt ended: it is still running, or its process died."
    model = report.model
    model_text = f" by {model.name} version {model.version}" if model else ""
    return f"{count_text(report.rows_scored or 0, 'row')} scored{model_text}{duration}."


def _range_text(told: ReportedIncrement | None) -> str:
    """Which rows an increment read, and how many keys are gone."""
    if told is None:
        return ""
    deleted = f", {told.rows_deleted:,} deleted" if told.rows_deleted else ""
    return f"all: {told.reason}" if told.since is None else f"changed after version {told.since}{deleted}"


def _run_facts(page: RunPage) -> tuple[Fact, ...]:
    report = page.report
    rejected = share_text(report.rows_rejected, report.rows_read) if report.rows_rejected else ""
    compared = len({(one.column, one.log_type) for one in page.drifts if one.slice_key is None})
    broken = [rule for rule in page.sla if not rule.kept]
    sla_mark = "bad" if broken or report.sla_broken else "good" if page.sla else ""
    return (
        Fact("Rows read", number_text(report.rows_read), _range_text(report.increment)),
        Fact("Scored", number_text(report.rows_scored)),
        Fact("Rejected", number_text(report.rows_rejected), f"{rejected} of the rows read" if rejected else ""),
        Fact(
            "Rows per second", _rounded_text(report.rows_per_second), "while scoring" if report.rows_per_second else ""
        ),
        Fact(
            "Drifted columns",
            number_text(report.drifted),
            f"of {compared} compared" if compared else "nothing was compared",
            "" if report.drifted is None else "bad" if report.drifted else "good",
        ),
        Fact(
            "SLA rules broken",
            number_text(len(broken) or len(report.sla_broken)) if sla_mark else UNKNOWN,
            f"of {len(page.sla)}" if page.sla else "none were checked" if not sla_mark else "",
            sla_mark,  # type: ignore[arg-type]
        ),
    )


def source_section(page: RunPage) -> Section:
    """Source, model and table, by name and version."""
    report = page.report
    source, newer = report.source or ReportedSource(UNKNOWN), report.newer or {}
    model = report.model or ReportedModel(UNKNOWN, "")
    loads = page.report.model_loads
    facts = [
        Fact("Source", source.table, _version_text(source.version)),
        Fact("Model", model.name, _version_text(model.version)),
        Fact("Predictions", report.table or UNKNOWN, _version_text(report.table_version)),
        Fact("Transport", report.transport or UNKNOWN, report.transport_reason or ""),
        Fact("Model loaded", UNKNOWN if loads is None else count_text(loads, "time")),
        Fact(
            "Model digest",
            model.digest[:12] or UNKNOWN,
            f"id {model.model_id}" if model.model_id else "",
        ),
    ]
    facts += [
        Fact(f"Counted by the model: {name.replace('_', ' ')}", number_text(value))
        for name, value in report.model_counts.items()
    ]
    if report.groups is not None:
        facts += _group_facts(report.groups)
    if report.chunks_reused:
        facts.append(Fact("Taken from an earlier attempt", count_text(report.chunks_reused, "chunk")))
    if newer:
        facts.append(Fact("Newer meanwhile", ", ".join(f"{name} {value}" for name, value in newer.items())))
    return Section("What was read, which model", facts=tuple(facts))


def _group_facts(groups: ReportedGroups) -> list[Fact]:
    missing = f"{number_text(groups.missing)} without a model" if groups.missing else "each with a model"
    largest = [
        Fact(f"Group {one.group}", one.model or "no model", "" if one.rows is None else count_text(one.rows, "row"))
        for one in groups.largest
    ]
    return [Fact("Groups", number_text(groups.groups), missing), Fact("Models", number_text(groups.models)), *largest]


def _rounded_text(value: float | None) -> str:
    return number_text(None if value is None else round(value))


def _version_text(version: object) -> str:
    return "" if version in (None, "") else f"version {version}"
