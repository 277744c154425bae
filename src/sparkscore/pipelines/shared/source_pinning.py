"""The source of a run at its pinned version; a source without versions is landed first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pyarrow as pa

from sparkscore.expressions.derived_inputs import DerivedInputs
from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.column_checks import check_source_columns
from sparkscore.model.signature.input_policies import InputPolicies, apply_input_policies
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.pipelines.shared.changes_landing import read_chosen_rows
from sparkscore.pipelines.shared.endpoint_pinning import check_prompt_columns
from sparkscore.pipelines.shared.feature_pinning import pin_features
from sparkscore.pipelines.shared.joined_source import check_joined_columns, pin_joined_source, pin_unjoined_rows
from sparkscore.pipelines.shared.lookup_pinning import PinnedLookups, derive_run_inputs
from sparkscore.pipelines.shared.read_choice import WantedPins, choose_rows_to_read
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import (
    NOT_LANDED,
    SchemaCheck,
    absent_micro_batch_error,
    corrupt_column,
    find_landing,
    is_micro_batch_source,
    land_source,
    landed_schema,
    read_unlanded_columns,
    source_conditions,
)
from sparkscore.records import LandedRows, PinnedModel, Pins, Snapshot, expression_columns, to_utc_text
from sparkscore.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class EarlierPins:
    """What attempts before this one have pinned for the as_of."""

    keep: Pins | None = None
    """Of an attempt that did not end, where this one goes on with them."""
    current: Pins | None = None
    """Of what is published."""
    is_known: bool = True
    """False: nothing of the as_of is looked at, and all rows of the source are meant."""


Landing = Literal["once", "anew", "never"]
"""Whether a source without versions is landed: where nothing is for the as_of, in any case, or not at all."""


def configured_input_policies(settings: ModelSettings, derived: DerivedInputs) -> InputPolicies:
    """What the config says of the model's inputs, those that are computed among them."""
    return InputPolicies(derived.columns, settings.casts, settings.missing)


def pin_run_source(
    attempt: Attempt,
    model: PinnedModel,
    earlier: EarlierPins,
    landing: Landing,
    lookups: PinnedLookups,
    known: Snapshot | None = None,
) -> Snapshot:
    """The source at the version that is kept, else at the one that the config means; what is landed has no filter left.

    With features it is the joined rows, whose `origin` names the source.
    `known`: what was pinned of the source already, to find its groups; it stays at this version.

    Jobs:    none for a Delta table whose rows are all read, as they are; else as `land_source`, `land_changes` or
             `pin_joined_source`, where nothing is landed for the as_of yet.
    Raises:  as `pin_source`, `land_source`, `choose_rows_to_read`, `land_changes` and `pin_joined_source`.
    """
    read, features = list_columns_to_read(attempt, model), pin_features(attempt, earlier.keep)
    check = partial(_check_unlanded_columns, attempt, model, lookups)
    if not features:
        return _pin_rows(attempt, read, check, (model, lookups), earlier, landing, known)
    before = partial(check_joined_columns, attempt, features, check)
    columns = (*read, *list_joining_columns(attempt))
    rows = _pin_rows(attempt, columns, before, (model, lookups), earlier, landing, known)
    return pin_joined_source(attempt, rows, features, check=check, lands=landing != "never", columns=read)


def _pin_rows(
    attempt: Attempt,
    columns: Sequence[str],
    check: SchemaCheck,
    scored: tuple[PinnedModel, PinnedLookups],
    earlier: EarlierPins,
    landing: Landing,
    known: Snapshot | None,
) -> Snapshot:
    """The rows that the run scores: all of the source, or those that changed."""
    snapshot = _pin_columns(attempt, columns, check, earlier.keep, landing, known)
    if not attempt.settings.source.reads_changes or not earlier.is_known:
        return snapshot
    wanted = WantedPins(snapshot.table_id, snapshot.version, scored[0], scored[1].tables)
    choice = choose_rows_to_read(attempt, wanted, earlier.keep, earlier.current)
    if choice.until != snapshot.version:
        at = replace(snapshot, version=choice.until)
        snapshot = _pin_columns(attempt, columns, check, earlier.keep, landing, at)
    return read_chosen_rows(attempt, snapshot, choice, lands=landing != "never")


def pin_group_columns(attempt: Attempt, keep: Pins | None, landing: Landing) -> Snapshot:
    """The columns of the source that say which group a row is of, before its model is known.

    Jobs:    as `pin_run_source`.
    Raises:  as `pin_run_source`.
    """
    check = partial(_check_plain_columns, attempt)
    before = partial(check_joined_columns, attempt, pin_features(attempt, keep), check)
    return _pin_columns(attempt, attempt.settings.model.by, before, keep, landing, None)


def _pin_columns(
    attempt: Attempt,
    columns: Sequence[str],
    check: SchemaCheck,
    keep: Pins | None,
    landing: Landing,
    known: Snapshot | None,
) -> Snapshot:
    source = attempt.settings.source
    version, where = source.version if keep is None else keep.source_version, source_conditions(attempt.settings)
    if source.is_landed:
        where = ()  # what is landed has met it
        if keep is None:
            attempt.landed = attempt.landed if known is not None else _find_or_land(attempt, check, landing)
            if attempt.landed is None:
                return _unlanded_snapshot(attempt, check, columns)
            version = attempt.landed.version
    if source.features:
        return pin_unjoined_rows(attempt, version if known is None else known.version, where, columns)
    return ingest.pin_source(
        attempt.source,
        version=version if known is None else known.version,
        as_of=attempt.as_of,
        keys=source.keys,
        where=where,
        columns=columns,
        passthrough=source.passthrough,
        sensitive=source.sensitive,
        names=attempt.settings.output_names,
    )


def list_joining_columns(attempt: Attempt) -> tuple[str, ...]:
    """The columns of the rows by which features are joined."""
    source = attempt.settings.source
    times = () if source.event_time is None else (source.event_time,)
    return (*times, *(name for one in source.features for name in one.keys))


def list_columns_to_read(attempt: Attempt, model: PinnedModel) -> tuple[str, ...]:
    """The columns of the source that a run with this model needs, some of which it may lack."""
    source, inputs = attempt.settings.source, attempt.settings.model.inputs
    sources = [
        inputs.get(one.name or str(position), one.name or str(position)) for position, one in enumerate(model.inputs)
    ]
    wanted = [name for one in sources for name in ((one,) if isinstance(one, str) else expression_columns(one))]
    suite, corrupt = attempt.suites.get("input"), corrupt_column(attempt.settings)
    judged = [name for one in (suite.reject_expectations if suite else ()) for name in one.columns]
    by = attempt.settings.model.by
    return (*source.keys, *wanted, *source.passthrough, *judged, *by, *([corrupt] if corrupt else []))


def _find_or_land(attempt: Attempt, check: SchemaCheck, landing: Landing) -> LandedRows | None:
    """What the run reads of a source without versions; None where it is to be landed, and not now."""
    is_batch = is_micro_batch_source(attempt.settings)
    found = None if landing == "anew" and not is_batch else find_landing(attempt)
    if found is None and is_batch:
        raise absent_micro_batch_error(attempt)
    if found is None and landing != "never":
        return land_source(attempt, check)
    if found is not None and attempt.earlier_events and not is_batch:
        attempt.warn(
            f"the run reads what was landed of {attempt.source.name} at {to_utc_text(found.landed_at)};"
            " --restart lands it anew"
        )
    return found


def _check_unlanded_columns(attempt: Attempt, model: PinnedModel, lookups: PinnedLookups, schema: pa.Schema) -> None:
    """Refuse what pinning would refuse, before a copy is made."""
    _check_plain_columns(attempt, schema)
    derived = derive_run_inputs(attempt, lookups, schema)
    policies, known = configured_input_policies(attempt.settings.model, derived), derived.extend_schema(schema)
    if attempt.settings.llm.is_used:
        check_prompt_columns(attempt.settings, known)
    match_input_columns(apply_input_policies(model, known, policies), known, policies.columns)


def _check_plain_columns(attempt: Attempt, schema: pa.Schema) -> None:
    """Refuse what no model could make right."""
    source = attempt.settings.source
    check_source_columns(
        schema,
        table=attempt.source.name,
        keys=source.keys,
        passthrough=source.passthrough,
        where=source_conditions(attempt.settings),
        sensitive=source.sensitive,
        names=attempt.settings.output_names,
    )


def _unlanded_snapshot(attempt: Attempt, check: SchemaCheck, columns: Sequence[str]) -> Snapshot:
    """What the run would read, with the columns that the source has now."""
    schema = landed_schema(*read_unlanded_columns(attempt, check))
    read = tuple(dict.fromkeys(columns))
    return Snapshot(attempt.source.ref, NOT_LANDED, 0, schema, read, attempt.settings.source.keys)
