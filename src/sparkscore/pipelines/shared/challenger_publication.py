"""Challengers after the champion's publication: what the pass has not scored, and their rows. None fails the run."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import pyarrow as pa

from sparkscore.errors import SparkscoreError
from sparkscore.lifecycle import Decision, settled_challengers
from sparkscore.pipelines.scoring.one_pass import PassPlan
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.source_survey import SourceRows
from sparkscore.pipelines.scoring.staging import score_missing_rows
from sparkscore.pipelines.scoring.transport_choice import choose_transport, output_frame
from sparkscore.pipelines.shared.challenger_pinning import pin_some_challengers
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.report_codec import model_of_pins
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import Challenger, describe_challenger_error
from sparkscore.pipelines.shared.run_suites import output_columns
from sparkscore.publish.challenger_commit import publish_challenger_rows
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import ChallengerRun, ChallengerStatus, PassSummaries, ReportedChallenger, RunEvent, Stage
from sparkscore.schemas import CHALLENGERS_SUFFIX, CHAMPION_RUN_COLUMN, challenger_contract
from sparkscore.spark.sql_texts import constant_text, name_expression
from sparkscore.store.table_contracts import ensure_table


def publish_challengers(attempt: Attempt, champion: Plan, challengers: Sequence[Challenger]) -> None:
    """Publish the challengers of a run that is published, each by a commit of its own; score what their stages lack.

    Jobs:    none for a challenger of few rows that the pass has scored; else one that publishes, and those of
             `score_missing_rows`.
    """
    if not challengers:
        return
    with attempt.phase("challengers"):
        for one in challengers:
            _publish_challenger(attempt, champion, one)


def make_up_for_challengers(attempt: Attempt, decision: Decision) -> None:
    """Score and publish the challengers that the current publication lacks by its run events.

    Without a session where there are none.

    Raises:  SparkNeeded.
    """
    current = decision.current
    if current is None or not attempt.settings.challengers or current.rows_read == 0:
        return
    settled = settled_challengers(attempt.earlier_events, current.run_id)
    missing = [one for one in attempt.settings.challengers if one.key not in settled]
    if not missing:
        return
    attempt.require_session()
    plan = _pin_published_run(attempt, decision, current)
    if plan is not None:
        publish_challengers(attempt, plan, pin_some_challengers(attempt, plan, missing))


def _pin_published_run(attempt: Attempt, decision: Decision, current: RunEvent) -> Plan | None:
    try:
        plan = pin_run(attempt, replace(decision, keep=current.pins))
    except SparkscoreError as gone:
        attempt.warn(f"challengers were not scored, as what the run has pinned cannot be had any more: {gone.found}")
        return None
    if plan.run.run_id == current.run_id:
        return plan
    attempt.warn("challengers were not scored: the run was published by another verb, or with other settings")
    return None


def _publish_challenger(attempt: Attempt, champion: Plan, challenger: Challenger) -> None:
    stage: Stage | None = None
    try:
        if challenger.can_run and challenger.plan is not None:
            stage = _complete_stage(challenger, challenger.plan)
            _publish_stage_rows(champion, challenger, challenger.plan, stage)
    except Exception as error:  # noqa: BLE001  whatever it is, the champion is published
        challenger.error = describe_challenger_error(challenger, error)
    _report_challenger(attempt, champion, challenger, stage)


def _complete_stage(challenger: Challenger, plan: Plan) -> Stage:
    """Its stage: as the pass has left it, or with the missing rows scored now, from the source once more.

    Raises:  DeadlinePassed where its timeout is over; TooManyRejects, and whatever its tasks raise.
    """
    child = challenger.attempt
    store = child.stage_store(plan.run)
    stage = store.find_complete_stage()
    if stage is not None:
        return stage
    until = time.monotonic() + challenger.settings.timeout
    limits = replace(RunLimits.of(child.settings, started=0.0, rows_read=None), until=until, budgets={})
    work = PassPlan(None, choose_transport(child, plan), SourceRows(None, None), PassSummaries())
    started = time.monotonic()
    progress = score_missing_rows(child, plan, challenger.counters, store.load_progress(), limits, work)
    challenger.in_pass, challenger.champion_seconds = False, None
    challenger.seconds = time.monotonic() - started
    return store.build_record(progress, chunks_reused=0)


def _publish_stage_rows(champion: Plan, challenger: Challenger, plan: Plan, stage: Stage) -> None:
    child, run = challenger.attempt, plan.run
    assert isinstance(run, ChallengerRun)  # noqa: S101  as it is planned
    RunLimits.of(child.settings, started=0.0, rows_read=stage.rows).check_rejects(stage.rejected)
    contract = challenger_contract(plan.contract)
    table, store = child.target.sibling(CHALLENGERS_SUFFIX), child.stage_store(run)
    ensure_table(table, challenger_contract(champion.contract), job=run.job)  # it decides on the types
    ensure_table(table.refresh(), contract, job=run.job)
    beside = name_expression(constant_text(run.champion_run_id), CHAMPION_RUN_COLUMN)
    rows = RowsToPublish(
        lambda session: output_frame(child, plan, store.in_session(session).load_scored_rows(stage)).selectExpr(
            "*", beside
        ),
        contract.names,
        stage.scored,
        stage.rejected,
        store.find_size(stage),
        partial(_load_rows, challenger, plan, stage),
    )
    publish_challenger_rows(rows, run, table)


def _load_rows(challenger: Challenger, plan: Plan, stage: Stage) -> pa.Table | None:
    """The rows without Spark; None where Arrow has no form of what is done inside of predictions."""
    child, run = challenger.attempt, plan.run
    is_plain = child.settings.output.threshold is not None or pa.types.is_floating(plan.model.output)
    if plan.nullable and not is_plain:
        return None
    found = child.stage_store(run).read_scored_rows(stage)
    if found is None:
        return None
    rows = pa.Table.from_batches(map(output_columns(child, plan), found.to_batches()))
    champion = run.champion_run_id if isinstance(run, ChallengerRun) else ""
    return rows.append_column(CHAMPION_RUN_COLUMN, pa.repeat(pa.scalar(champion, pa.string()), rows.num_rows))


def _report_challenger(attempt: Attempt, champion: Plan, challenger: Challenger, stage: Stage | None) -> None:
    plan, error = challenger.plan, challenger.error
    status: ChallengerStatus = "failed" if error else "skipped" if challenger.is_champion else "published"
    pins = champion.run.pins if challenger.is_champion else None if plan is None else plan.run.pins
    is_published = error is None and stage is not None
    made = ReportedChallenger(
        challenger.settings.uri,
        status,
        None if pins is None else model_of_pins(pins, "" if plan is None else plan.run.model_id),
        None if plan is None else plan.run.run_id,
        rows=stage.scored if is_published and stage else None,
        rejects=stage.rejected if stage else None,
        seconds=None if challenger.seconds is None else round(challenger.seconds, 3),
        champion_seconds=None if challenger.champion_seconds is None else round(challenger.champion_seconds, 3),
        loads=challenger.counters.loads,
        model_bytes=challenger.model_bytes,
        model_counts=challenger.counters.model_counts,
        in_pass=challenger.in_pass,
        error="it is the champion itself" if challenger.is_champion else None if error is None else str(error.found),
    )
    for warning in challenger.attempt.report.warnings:
        attempt.warn(f"challenger {made.uri}: {warning}")
    if error is not None:
        attempt.warn(f"the challenger {made.uri} failed: {made.error}")
        if challenger.settings.strict:
            attempt.exit_code = attempt.exit_code or error.exit_code
    attempt.report = replace(attempt.report, challengers=(*attempt.report.challengers, made))
    details = {"challenger": asdict(made), "challenger_key": challenger.settings.key}
    attempt.record_challenger(details, run=champion.run, failure=error)
