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
    events: Sequence[RunEvent], sla: SlaSettings, *, source_at: datetime | None = None
) -> tuple[SlaRule, ...]:
    """The rules of one published as_of, in the order of the config, for its first publication.

    `source_at`: when the version of the source was committed; None where nothing tells.

    Needs:   all `events` of the as_of, oldest first, one `published` among them.
    """
    shown = next(event for event in events if event.event == "published")
    started = min((event.at for event in events if event.event == "started"), default=shown.at)
    rules = []
    if sla.published_within_hours is not None:
        hours = (shown.at - shown.as_of).total_seconds() / _HOUR_S
        rules.append(_at_most_rule("published within", hours, sla.published_within_hours, "h after as_of"))
    if sla.source_age_hours is not None:
        age = None if source_at is None else (shown.at - source_at).total_seconds() / _HOUR_S
        rules.append(_at_most_rule("age of the source", age, sla.source_age_hours, "h when published"))
    if sla.duration_minutes is not None:
        minutes = (shown.at - started).total_seconds() / _MINUTE_S
        rules.append(_at_most_rule("duration", minutes, sla.duration_minutes, "minutes from the first start"))
    if sla.completeness is not None:
        share = shown.rows_scored / shown.rows_read if shown.rows_scored is not None and shown.rows_read else None
        rules.append(_at_least_rule("completeness", share, sla.completeness, "of the source's rows have a prediction"))
    if sla.rows_per_second is not None:
        seconds = shown.parsed_details.get("seconds", {}).get("score_and_stage")
        speed = shown.rows_scored / seconds if shown.rows_scored is not None and seconds else None
        rules.append(_at_least_rule("throughput", speed, sla.rows_per_second, "rows/s while scoring"))
    return tuple(rules)


def missed_run_rules(
    events: Sequence[RunEvent], sla: SlaSettings, *, now: datetime, as_of: datetime | None = None
) -> tuple[SlaRule, ...]:
    """Each as_of that should be published by now and is not: unfinished, failed, or never started.

    Expected is an as_of every `every_hours` after the greatest that any run stands for, each published
    `published_within_hours` later, at once where that is not set. With `as_of` only that one is looked at.

    Needs:   all `events` of the job.
    """
    within = timedelta(hours=sla.published_within_hours or 0)
    published = {event.as_of for event in events if event.event == "published"}
    expected = _due_as_ofs(events, sla, until=now - within) if as_of is None else [as_of]
    late = [one for one in expected if one not in published and one + within <= now]
    return tuple(
        SlaRule(
            f"run of {to_utc_text(one)}",
            False,
            _last_attempt_text(events, one),
            f"published by {to_utc_text(one + within)}",
        )
        for one in late
    )


def _due_as_ofs(events: Sequence[RunEvent], sla: SlaSettings, *, until: datetime) -> list[datetime]:
    """Every as_of of the job, and the ones that are due after the greatest published one."""
    found = sorted({event.as_of for event in events})
    if sla.every_hours is None or not found:
        return found
    step, due = timedelta(hours=sla.every_hours), found[-1]
    while due + step <= until and len(found) < _MAX_DUE_RUNS:
        due += step
        found.append(due)
    return found


def _last_attempt_text(events: Sequence[RunEvent], as_of: datetime) -> str:
    mine = [event for event in events if event.as_of == as_of]
    if not mine:
        return "never started"
    last = mine[-1]
    if last.event == "failed":
        return f"failed with {last.exit_code} ({last.error}) in attempt {last.attempt}"
    return f"{last.event} in attempt {last.attempt} at {to_utc_text(last.at)[:19]}Z, not published"


def _at_most_rule(rule: str, found: float | None, most: float, unit: str) -> SlaRule:
    return SlaRule(rule, found is not None and found <= most, _sla_value_text(found, unit), f"at most {most:g}")


def _at_least_rule(rule: str, found: float | None, least: float, unit: str) -> SlaRule:
    return SlaRule(rule, found is not None and found >= least, _sla_value_text(found, unit), f"at least {least:g}")


def _sla_value_text(found: float | None, unit: str) -> str:
    if found is None:
        return "not known"
    return f"{found:,.0f} {unit}" if found >= _LARGE else f"{found:.4g} {unit}"
