"""Checks run events against the rules of an SLA: when, how complete, how fast. Pure: no Spark, no I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sparkscore.records import RunEvent, SlaRule, to_utc_text
from sparkscore.settings import SlaSettings

_HOUR_S, _MINUTE_S = 3600, 60
_LARGE = 1_000
_MAX_DUE_RUNS = 10_000
"""Greatest number of runs that never started in a result: more add no information."""


def publication_sla_rules(
    events: Sequence[RunEvent], sla: SlaSettings, *, source_committed_at: datetime | None = None
) -> tuple[SlaRule, ...]:
    """The rules of one published as_of, in the order of the config, for its first publication.

    `source_committed_at`: when the version of the source was committed; None where it is unknown.

    Needs:   all `events` of the as_of, oldest first, one `published` among them.
    """
    publication = next(event for event in events if event.event == "published")
    started = min((event.at for event in events if event.event == "started"), default=publication.at)
    has_rows = publication.rows_read != 0  # an increment of deleted keys alone has scored none
    rules = []
    if sla.published_within_hours is not None:
        hours = (publication.at - publication.as_of).total_seconds() / _HOUR_S
        rules.append(_at_most_rule("published within", hours, sla.published_within_hours, "h after as_of"))
    if sla.source_age_hours is not None:
        age = None if source_committed_at is None else (publication.at - source_committed_at).total_seconds() / _HOUR_S
        rules.append(_at_most_rule("age of the source", age, sla.source_age_hours, "h when published"))
    if sla.duration_minutes is not None:
        minutes = (publication.at - started).total_seconds() / _MINUTE_S
        rules.append(_at_most_rule("duration", minutes, sla.duration_minutes, "minutes from the first start"))
    if sla.completeness is not None and has_rows:
        share = (
            publication.rows_scored / publication.rows_read
            if publication.rows_scored is not None and publication.rows_read
            else None
        )
        rules.append(_at_least_rule("completeness", share, sla.completeness, "of the source's rows have a prediction"))
    if sla.rows_per_second is not None and has_rows:
        seconds = publication.parsed_details.get("seconds", {}).get("score_and_stage")
        speed = publication.rows_scored / seconds if publication.rows_scored is not None and seconds else None
        rules.append(_at_least_rule("throughput", speed, sla.rows_per_second, "rows/s while scoring"))
    return tuple(rules)


def empty_source_rules(sla: SlaSettings) -> tuple[SlaRule, ...]:
    """The rules of an as_of whose source had no rows: whoever sets a completeness expects some."""
    if sla.completeness is None:
        return ()
    return (
        SlaRule("completeness", False, "the source has no rows", f"at least {sla.completeness:g}, of at least one"),
    )


def missed_run_rules(
    events: Sequence[RunEvent], sla: SlaSettings, *, now: datetime, as_of: datetime | None = None
) -> tuple[SlaRule, ...]:
    """Each as_of that should be published by now and is not: unfinished, failed, or never started.

    Expected is an as_of every `every_hours` after the greatest that any run stands for, each published
    `published_within_hours` later, at once where that is not set. With `as_of` only that one is looked at.

    Needs:   all `events` of the job.
    """
    max_delay = timedelta(hours=sla.published_within_hours or 0)
    published = {event.as_of for event in events if event.event == "published"}
    expected = _due_as_ofs(events, sla, until=now - max_delay) if as_of is None else [as_of]
    overdue = [one for one in expected if one not in published and one + max_delay <= now]
    return tuple(
        SlaRule(
            f"run of {to_utc_text(one)}",
            False,
            _last_attempt_text(events, one),
            f"published by {to_utc_text(one + max_delay)}",
        )
        for one in overdue
    )


def _due_as_ofs(events: Sequence[RunEvent], sla: SlaSettings, *, until: datetime) -> list[datetime]:
    """Every as_of of the job, and the ones that are due after the greatest published one."""
    as_ofs = sorted({event.as_of for event in events})
    if sla.every_hours is None or not as_ofs:
        return as_ofs
    step, due = timedelta(hours=sla.every_hours), as_ofs[-1]
    while due + step <= until and len(as_ofs) < _MAX_DUE_RUNS:
        due += step
        as_ofs.append(due)
    return as_ofs


def _last_attempt_text(events: Sequence[RunEvent], as_of: datetime) -> str:
    run_events = [event for event in events if event.as_of == as_of]
    if not run_events:
        return "never started"
    last = run_events[-1]
    if last.event == "failed":
        return f"failed with {last.exit_code} ({last.error}) in attempt {last.attempt}"
    return f"{last.event} in attempt {last.attempt} at {to_utc_text(last.at)[:19]}Z, not published"


def _at_most_rule(rule: str, value: float | None, maximum: float, unit: str) -> SlaRule:
    return SlaRule(rule, value is not None and value <= maximum, _sla_value_text(value, unit), f"at most {maximum:g}")


def _at_least_rule(rule: str, value: float | None, minimum: float, unit: str) -> SlaRule:
    return SlaRule(rule, value is not None and value >= minimum, _sla_value_text(value, unit), f"at least {minimum:g}")


def _sla_value_text(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    return f"{value:,.0f} {unit}" if value >= _LARGE else f"{value:.4g} {unit}"
