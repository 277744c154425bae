"""Challengers of a run: each with pins and a plan of its own, for the rows of the champion's source. None fails it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sparkscore.errors import ConfigError
from sparkscore.gate.row_rules import row_rules
from sparkscore.model.distribution.model_cache_limits import folder_bytes
from sparkscore.model.registry.model_uri import pinned_model_uri
from sparkscore.pipelines.shared.lookup_pinning import derive_run_inputs, pin_lookups
from sparkscore.pipelines.shared.model_pinning import choose_copies_folder, resolve_run_model
from sparkscore.pipelines.shared.output_pinning import pin_run_outputs
from sparkscore.pipelines.shared.pinning import Plan, derive_run_contract, match_run_inputs
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import Challenger, describe_challenger_error
from sparkscore.pipelines.shared.source_landing import corrupt_column
from sparkscore.pipelines.shared.source_pinning import configured_input_policies, list_columns_to_read
from sparkscore.publish.postprocessing import check_threshold
from sparkscore.publish.prediction_nulls import choose_nullable_parts
from sparkscore.records import ChallengerRun, PinnedModel, Pins, RunReport, Snapshot
from sparkscore.scoring.counters import Counters
from sparkscore.settings.challenger_settings import ChallengerSettings

PINNED_CHALLENGERS = "challengers"
"""Key of a `started` event's details: the version of each challenger, by its key."""


def pin_challengers(attempt: Attempt, plan: Plan, *, copies: str | None = None) -> tuple[Challenger, ...]:
    """The challengers of a run: those that an earlier attempt of the run has pinned, at the same versions.

    What keeps one from running is kept in it. `copies`: the folder of private copies; default: as for the champion.

    Jobs:    small ones where a challenger's inputs or the columns of the output are looked up in tables.
    """
    return pin_some_challengers(attempt, plan, attempt.settings.challengers, copies=copies)


def pin_some_challengers(
    attempt: Attempt, plan: Plan, wanted: Sequence[ChallengerSettings], *, copies: str | None = None
) -> tuple[Challenger, ...]:
    """The same of these challengers alone."""
    known, pinned = _find_pinned_versions(attempt, plan.run.run_id), list[Challenger]()
    for settings in wanted:
        challenger = _open_challenger(attempt, settings)
        try:
            _pin_challenger(challenger, plan, known.get(challenger.settings.key), copies)
            _refuse_same_version(challenger, pinned)
        except Exception as error:  # noqa: BLE001  whatever it is, the champion is scored
            challenger.error = describe_challenger_error(challenger, error)
        pinned.append(challenger)
    return tuple(pinned)


def describe_pinned_challengers(challengers: Sequence[Challenger]) -> Mapping[str, Any]:
    """What the `started` event says, so that a retry takes the same versions; nothing where there are none."""
    pinned = {one.settings.key: _pinned_uri(one.plan.run.pins) for one in challengers if one.plan is not None}
    return {PINNED_CHALLENGERS: pinned} if pinned else {}


def _find_pinned_versions(attempt: Attempt, run_id: str) -> Mapping[str, str]:
    events = [event for event in attempt.earlier_events if event.run_id == run_id and event.event == "started"]
    found: dict[str, str] = {}
    for event in events:
        found |= event.parsed_details.get(PINNED_CHALLENGERS) or {}
    return found


def _pinned_uri(pins: Pins) -> str:
    return pinned_model_uri(pins.model_name, pins.model_version)


def _open_challenger(attempt: Attempt, settings: ChallengerSettings) -> Challenger:
    model = settings.replace_champion(attempt.settings.model)
    child = replace(
        attempt,
        settings=attempt.settings.model_copy(update={"model": model, "challengers": (), "reasons": None}),
        report=RunReport(attempt.settings.job, attempt.report.as_of, "failed"),
        run=None,
        verdicts=[],
        earlier_events=[],
        held_events=[],
        stage_stores={},
        measurings={},
        batches=None,
        process_timeout=settings.timeout,
        standby=None,
    )
    return Challenger(settings, child, Counters(attempt.spark, travels=attempt.settings.scoring.engine != "spark"))


def _pin_challenger(challenger: Challenger, champion: Plan, uri: str | None, copies: str | None) -> None:
    child = challenger.attempt
    if uri is not None:
        named = child.settings.model.model_copy(update={"uri": uri})
        child.settings = child.settings.model_copy(update={"model": named})
    model = resolve_run_model(child, None, copies or choose_copies_folder(child))
    challenger.model_bytes = folder_bytes(model.path)
    plan = _plan_challenger(child, champion, model)
    challenger.is_champion = plan.run.pins == champion.run.pins
    challenger.plan = None if challenger.is_champion else plan


def _plan_challenger(child: Attempt, champion: Plan, model: PinnedModel) -> Plan:
    """As `pin_run` plans the champion's, for the snapshot that the champion has pinned.

    Raises:  as `pin_run`.
    """
    settings, source = child.settings, child.settings.source
    lookups, schema = pin_lookups(child, None), champion.snapshot.schema
    derived = derive_run_inputs(child, lookups, schema)
    policies = configured_input_policies(settings.model, derived)
    model, columns = match_run_inputs(child, model, derived.extend_schema(schema), policies)
    snapshot = _read_columns(child, champion.snapshot, model)
    check_threshold(settings.output.threshold, model.output, model.parts)
    outputs, joined = pin_run_outputs(child, model, schema, None)
    pinned = champion.run.pins.additions
    additions = replace(pinned, lookups=tuple(lookups.tables), has_groups=False, groups=None)
    pins = replace(
        champion.run.pins,
        model_name=model.name,
        model_version=model.version,
        model_digest=model.digest,
        scoring_digest=additions.add_to_digest(child.scoring_digest),
    )
    run = _build_challenger_run(champion, pins, model)
    run = replace(run, postprocessing=replace(child.postprocessing_of(pins), lookups=joined))
    child.run, child.runtime = run, model.runtime
    missing = {name: policies.column(name) for name in policies.rejecting}
    rules = row_rules(
        source.keys,
        schema,
        child.suites.get("input"),
        sensitive=source.sensitive,
        missing=missing,
        corrupt=corrupt_column(settings),
    )
    nullable = choose_nullable_parts(model.output, model.parts, settings.output)
    contract = derive_run_contract(child, model, snapshot, outputs.columns)
    return Plan(run, model, columns, snapshot, contract, rules, None, nullable, derived, outputs)


def _read_columns(child: Attempt, snapshot: Snapshot, model: PinnedModel) -> Snapshot:
    wanted = dict.fromkeys(list_columns_to_read(child, model))
    return replace(snapshot, columns=tuple(name for name in wanted if name in snapshot.schema.names))


def _build_challenger_run(champion: Plan, pins: Pins, model: PinnedModel) -> ChallengerRun:
    run = champion.run
    return ChallengerRun(
        run.job,
        run.as_of,
        run.revision,
        run.attempt,
        pins,
        run.source_table,
        model.model_id,
        first_job=run.first_job,
        champion_run_id=run.run_id,
    )


def _refuse_same_version(challenger: Challenger, others: Sequence[Challenger]) -> None:
    """The table has one row per key, as_of and model version.

    Raises:  ConfigError.
    """
    plan = challenger.plan
    if plan is None:
        return
    mine = (plan.run.pins.model_name, plan.run.pins.model_version)
    for other in others:
        if other.plan is not None and (other.plan.run.pins.model_name, other.plan.run.pins.model_version) == mine:
            challenger.plan = None
            raise ConfigError(
                f"the challengers {other.settings.uri} and {challenger.settings.uri} are both version {mine[1]} of"
                f" {mine[0]}",
                "challengers of different versions",
                "remove one of them, or move its alias",
            )
