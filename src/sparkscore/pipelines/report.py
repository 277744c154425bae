"""The page of a run that is over, and that of its job, made anew from the job's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.lifecycle import find_scoring_publications, select_run_events
from sparkscore.monitor.report.page import job_page
from sparkscore.pipelines.shared.run_pages import configured_prices, report_folder, trend_events, write_run_page
from sparkscore.records import RuleVerdict, RunEvent, RunPage, RunReport, SlaRule, Verdict, to_utc_text
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref, sibling_table
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.hadoop_folders import write_text_file
from sparkscore.store.monitoring_tables import load_drifts, load_profiles
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.run_events import load_events


def write_run_report(spark: SparkSession, settings: Settings, *, run: str) -> str:
    """Write the page of a run, and that of its job; where the first one is.

    Needs:   `run` as a run_id or its beginning.
    Jobs:    four small ones.
    Raises:  ConfigError for a run that is not there, ForeignTable, AccessDenied.
    """
    session, target = create_run_session(spark), parse_table_ref(settings.output.table, home=settings.home_uri)
    found = _load_job_events(session, settings)
    mine = select_run_events(found, run)
    run_id, as_of = str(mine[-1].run_id), mine[-1].as_of
    before = [
        event for event in trend_events(found) if event.as_of < as_of and event.event == "published" and event.run_id
    ]
    shown = find_scoring_publications(found, (mine[-1], *before[-1:]))
    runs = {str(event.run_id): event.as_of for event in shown}
    profiles = load_profiles(session, sibling_table(target, "_profile"), job=settings.job, runs=runs)
    now, *last = (profiles.get(str(event.run_id), ()) for event in shown)
    rejects = count_rejects(session, sibling_table(target, "_rejects"), job=settings.job, run_id=run_id)
    page = RunPage(
        _report_from_events(mine, target.path or target.name),
        _verdicts_from_events(mine),
        now,
        last[0] if last else (),
        load_drifts(session, sibling_table(target, "_drift"), job=settings.job, runs={run_id: as_of}),
        tuple(rejects),
        tuple(SlaRule(**rule) for rule in _last_event_details(mine, "monitored").get("sla", ())),
        trend_events(found),
        cores=int(_last_event_details(mine, "published", "failed").get("cores") or 1),
        **configured_prices(settings),
    )
    return write_run_page(session, settings, page)


def write_job_report(spark: SparkSession, settings: Settings) -> str:
    """Write the page of a job: what changes from run to run; where it is.

    Jobs:    one small one.
    Raises:  ConfigError where nothing ran yet, ForeignTable, AccessDenied.
    """
    session = create_run_session(spark)
    found = _load_job_events(session, settings)
    where = f"{report_folder(settings)}/index.html"
    write_text_file(session, where, job_page(settings.job, trend_events(found)))
    return where


def _load_job_events(session: SparkSession, settings: Settings) -> list[RunEvent]:
    target = parse_table_ref(settings.output.table, home=settings.home_uri)
    found = load_events(session, sibling_table(target, "_runs"), job=settings.job)
    if not found:
        raise ConfigError(f"no run of the job {settings.job} yet", "one at least", "run `score`")
    return found


def _report_from_events(mine: Sequence[RunEvent], table: str) -> RunReport:
    """What the events of a run tell of what its last attempt has reported."""
    last = next((one for one in reversed(mine) if one.event != "monitored"), mine[-1])
    told, seen = last.told, _last_event_details(mine, "monitored")
    seconds = told.get("seconds") or {}
    pins = last.pins
    model = (
        None
        if pins is None
        else {
            "name": pins.model_name,
            "version": pins.model_version,
            "model_id": last.model_id or "",
            "digest": pins.model_digest,
        }
    )
    error = None if last.error is None else {"class": last.error, "message": last.message, "retryable": False}
    speed = (
        last.rows_scored / seconds["score_and_stage"] if last.rows_scored and seconds.get("score_and_stage") else None
    )
    return RunReport(
        last.job,
        to_utc_text(last.as_of),
        "published" if last.event == "published" else "failed",
        exit_code=next((one.exit_code for one in reversed(mine) if one.exit_code is not None), 0),
        run_id=last.run_id,
        revision=last.revision,
        attempt=last.attempt,
        rows_read=last.rows_read,
        rows_scored=last.rows_scored,
        rows_rejected=last.rows_rejected,
        model=model,
        source=None if pins is None else {"table": last.source_table, "version": pins.source_version},
        table=table,
        table_version=last.table_version,
        transport=told.get("transport"),
        transport_reason=told.get("transport_reason"),
        model_loads=told.get("model_loads"),
        warnings=tuple(told.get("warnings") or ()),
        seconds={**seconds, "total": _attempt_seconds(mine, last)},
        rows_per_second=None if speed is None else round(speed),
        executors=told.get("executors") or {},
        drifted=seen.get("drifted"),
        sla_broken=tuple(rule["rule"] for rule in seen.get("sla", ()) if not rule["kept"]),
        error=error,
    )


def _attempt_seconds(mine: Sequence[RunEvent], last: RunEvent) -> float:
    """From the start of the attempt to its last word."""
    started = [one.at for one in mine if one.event == "started" and one.attempt == last.attempt]
    return round((last.at - started[0]).total_seconds(), 3) if started else 0.0


def _last_event_details(mine: Sequence[RunEvent], *kinds: str) -> Mapping[str, Any]:
    return next((one.told for one in reversed(mine) if one.event in kinds), {})


def _verdicts_from_events(mine: Sequence[RunEvent]) -> tuple[Verdict, ...]:
    told = _last_event_details(mine, "published", "failed").get("verdicts") or ()
    return tuple(
        Verdict(one["gate"], one["suite"], tuple(RuleVerdict(**rule) for rule in one["rules"]), one["seconds"])
        for one in told
    )
