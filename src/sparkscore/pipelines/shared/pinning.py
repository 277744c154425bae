"""Pins of a run: resolved once, by versions and digests, and checked before a row is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from sparkscore.errors import ConfigError, ModelNotFound, PinsConflict
from sparkscore.expressions.derived_inputs import NO_DERIVED_INPUTS, DerivedInputs
from sparkscore.gate.row_rules import row_rules
from sparkscore.lifecycle import Decision
from sparkscore.model.signature.input_policies import InputPolicies, apply_input_policies
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.signature.signature_check import absent_input_properties, match_input_columns
from sparkscore.pipelines.shared.endpoint_pinning import check_prompt_columns
from sparkscore.pipelines.shared.engine_pinning import check_engine_model
from sparkscore.pipelines.shared.group_pinning import resolve_run_groups
from sparkscore.pipelines.shared.lookup_pinning import PinnedLookups, derive_run_inputs, pin_lookups
from sparkscore.pipelines.shared.model_pinning import choose_copies_folder, find_kept_digest, resolve_run_model
from sparkscore.pipelines.shared.output_pinning import pin_run_outputs
from sparkscore.pipelines.shared.pins_comparison import other_pins
from sparkscore.pipelines.shared.reasons_pinning import explain_run_model, pin_background
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import corrupt_column
from sparkscore.pipelines.shared.source_pinning import EarlierPins, Landing, configured_input_policies, pin_run_source
from sparkscore.publish.exploded_views import check_exploded_views
from sparkscore.publish.known_columns import NO_OUTPUTS, PlannedOutputs
from sparkscore.publish.postprocessing import check_threshold, derive_table_contract
from sparkscore.publish.prediction_nulls import choose_nullable_parts
from sparkscore.records import (
    DerivedColumn,
    PinAdditions,
    PinnedGroups,
    PinnedModel,
    PinnedTable,
    Pins,
    RowRules,
    Run,
    Snapshot,
)
from sparkscore.schemas import REASON_COLUMNS, TableContract
from sparkscore.store.table_growth import TableGrowth, plan_table_growth


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an attempt has resolved before it reads a row."""

    run: Run
    model: PinnedModel
    model_columns: tuple[str | None, ...]
    """The column of each model input, in the model's order: of the source, or computed; None for an optional one that
    the source lacks."""
    snapshot: Snapshot
    contract: TableContract
    rules: RowRules
    """What a row must meet to be scored."""
    growth: TableGrowth | None
    """What the publication adds to the prediction table; None where there is none yet."""
    nullable: frozenset[str] = frozenset()
    """Paths of the parts of a prediction that may be NULL."""
    derived: DerivedInputs = NO_DERIVED_INPUTS
    """The columns that are computed of a row before it is judged and scored."""
    outputs: PlannedOutputs = NO_OUTPUTS
    """The columns that are computed from it."""
    groups: PinnedGroups | None = None
    """The models of all groups, where each has its own: `model` stands for them then."""

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The source columns that the model reads, in the model's order; in place of computed ones, what they read."""
        columns = [column for column in self.model_columns if column is not None]
        return tuple(name for column in columns for name in self.derived.source_columns(column))

    @property
    def row_schema(self) -> pa.Schema:
        """The source's columns and the computed ones."""
        return self.derived.extend_schema(self.snapshot.schema)


def pin_run(
    attempt: Attempt,
    decision: Decision,
    *,
    copies: str | None = None,
    landing: Landing = "once",
    knows_past: bool = True,
) -> Plan:
    """The run's pins: those of an attempt that did not end, else resolved now; checked against each other.

    A source without versions is landed for the as_of: once, or anew; `never` leaves a snapshot of `NOT_LANDED`. So are
    the changes of one with versions, where the config reads them; `never` leaves the snapshot of the source.
    Without `knows_past` all rows are meant, whatever was published.

    Raises:  ModelError, SignatureError, ConfigError, PinsConflict, RegistryUnreachable.
    """
    # pins that the present config cannot make any more: it was changed on purpose, and is resolved anew
    keep = None if decision.keep is None or other_pins(attempt, decision.keep) else decision.keep
    current = None if decision.current is None else decision.current.pins
    earlier = EarlierPins(keep, current, is_known=knows_past)
    found = _resolve_inputs(attempt, earlier, copies or choose_copies_folder(attempt), landing)
    model, snapshot, lookups = found.model, found.snapshot, found.lookups
    _warn_of_paths(attempt)
    for warning in model.warnings:
        attempt.warn(warning)
    pins = _pin_inputs(attempt, found, keep)
    derived = derive_run_inputs(attempt, lookups, snapshot.schema)
    policies = configured_input_policies(attempt.settings.model, derived)
    model, columns = match_run_inputs(attempt, model, derived.extend_schema(snapshot.schema), policies)
    model = explain_run_model(attempt, model, columns, derived, pins, copies=copies or choose_copies_folder(attempt))
    snapshot = replace(snapshot, columns=tuple(name for name in snapshot.columns if name in snapshot.schema.names))
    check_threshold(attempt.settings.output.threshold, model.output, model.parts)
    outputs, joined = pin_run_outputs(attempt, model, snapshot.schema, keep, found.groups)
    contract = derive_run_contract(attempt, model, snapshot, outputs.columns)
    check_exploded_views(attempt.settings.output.explode, contract, keys=attempt.settings.output_keys)
    nullable = choose_nullable_parts(model.output, model.parts, attempt.settings.output)
    growth = _plan_growth_of_target(attempt, contract)
    run = Run(
        attempt.settings.job,
        attempt.as_of,
        decision.revision,
        decision.attempt,
        pins,
        attempt.source.name,
        model.model_id,
        replace(attempt.postprocessing_of(pins), lookups=joined),
        attempt.first_job,
    )
    attempt.run, attempt.runtime = run, (model.executed or model).runtime
    attempt.report_pins(pins, model_id=model.model_id, run_id=run.run_id)
    source, suite = attempt.settings.source, attempt.suites.get("input")
    missing = {name: policies.column(name) for name in policies.rejecting}
    corrupt = corrupt_column(attempt.settings)
    rules = row_rules(source.keys, snapshot.schema, suite, sensitive=source.sensitive, missing=missing, corrupt=corrupt)
    groups = found.groups
    return Plan(run, model, columns, snapshot, contract, rules, growth, nullable, derived, outputs, groups)


def match_run_inputs(
    attempt: Attempt, model: PinnedModel, schema: pa.Schema, policies: InputPolicies
) -> tuple[PinnedModel, tuple[str | None, ...]]:
    """The model with the inputs that it gets, and the source column of each.

    Warns of optional ones that are absent: a column that disappears from the source changes predictions.
    """
    if attempt.settings.llm.is_used:
        check_prompt_columns(attempt.settings, schema)
    check_engine_model(attempt.spark, model, attempt.settings.model.residency)
    before, model = input_names(model.inputs), apply_input_policies(model, schema, policies)
    absent = [name for name in before if name not in input_names(model.inputs)]
    if absent:
        attempt.warn(
            f"the source lacks optional inputs, and the model is called without them: {', '.join(absent)};"
            " model.missing gives them NULL (pass) or a value, without this warning"
        )
    columns = match_input_columns(model, schema, policies.columns)
    if left_out := absent_input_properties(model, schema, columns):
        attempt.warn(
            "the source lacks optional properties of inputs, and the model gets objects without them:"
            f" {', '.join(left_out)}"
        )
    return model, columns


@dataclass(frozen=True, slots=True)
class _ResolvedInputs:
    """What a run reads, and what scores it."""

    model: PinnedModel
    snapshot: Snapshot
    lookups: PinnedLookups
    groups: PinnedGroups | None = None


def _resolve_inputs(attempt: Attempt, earlier: EarlierPins, copies: str, landing: Landing) -> _ResolvedInputs:
    keep = earlier.keep
    try:
        if attempt.settings.model.by:
            model, groups, known = resolve_run_groups(attempt, keep, copies, landing)
            lookups = pin_lookups(attempt, keep)
            snapshot = pin_run_source(attempt, model, earlier, landing, lookups, known)
            return _ResolvedInputs(model, snapshot, lookups, groups)
        model = resolve_run_model(attempt, keep, copies)
        lookups = pin_lookups(attempt, keep)
        return _ResolvedInputs(model, pin_run_source(attempt, model, earlier, landing, lookups), lookups)
    except (ModelNotFound, ConfigError) as error:
        if keep is None:
            raise
        raise PinsConflict(
            f"what the previous attempt pinned is gone: {error.found}",
            "the pinned model version and source version",
            "--restart pins source and model again",
        ) from error


def _pin_inputs(attempt: Attempt, found: _ResolvedInputs, keep: Pins | None) -> Pins:
    model, snapshot, groups = found.model, found.snapshot, found.groups
    digest = model.digest if keep is None else find_kept_digest(model, keep)
    settings_digest = attempt.scoring_digest if keep is None else keep.settings_digest
    increment, origin = attempt.report.increment, snapshot.origin
    source = PinnedTable(snapshot.table_id, snapshot.version) if origin is None else origin.source
    additions = PinAdditions(
        lookups=tuple(found.lookups.tables),
        features=() if origin is None else origin.features,
        changes_since=None if increment is None else increment.since,
        has_groups=groups is not None,
        groups=None if groups is None else groups.table,
        background=pin_background(attempt, keep),
    )
    scoring_digest = additions.add_to_digest(settings_digest)
    pins = Pins(source.id, source.version, model.name, model.version, digest, scoring_digest)
    if keep is not None and keep != pins:
        raise PinsConflict(
            "; ".join(keep.differences(pins)),
            "the pins of the previous attempt",
            "--restart pins source and model again",
        )
    return pins


def derive_run_contract(
    attempt: Attempt, model: PinnedModel, snapshot: Snapshot, derived: Sequence[DerivedColumn]
) -> TableContract:
    """The prediction table that a run with this model writes.

    Raises:  ConfigError.
    """
    source = attempt.settings.source
    return derive_table_contract(
        snapshot.schema,
        keys=source.keys,
        output=model.output,
        passthrough=source.passthrough,
        threshold=attempt.settings.output.threshold,
        names=attempt.settings.output_names,
        derived=derived,
        marks_deleted=source.on_delete == "mark",
        beside=() if model.executed is None else REASON_COLUMNS,
    )


def _plan_growth_of_target(attempt: Attempt, contract: TableContract) -> TableGrowth | None:
    """What the publication adds to the prediction table. It is added there: a refused run leaves the table alone."""
    if not attempt.target.exists():
        return None
    growth = plan_table_growth(attempt.target, contract, job=attempt.settings.job)
    if growth.added:
        attempt.warn(f"the publication adds to {attempt.target.name}: {', '.join(growth.added)}; NULL in older rows")
    if growth.unwritten:
        attempt.warn(
            f"{attempt.target.name} has columns that the job does not write: {', '.join(growth.unwritten)};"
            " they stay, and are NULL in what is published now; `migrate --drop-column NAME` removes one"
        )
    return growth


def _warn_of_paths(attempt: Attempt) -> None:
    sensitive = attempt.settings.source.sensitive
    if sensitive and not attempt.settings.source.is_landed:
        named = [name for name in attempt.source.partition_columns if name in sensitive]
        if named:
            attempt.warn(
                f"the source is partitioned by {', '.join(named)}: the paths of its files hold sensitive values,"
                " and Spark's own logs may name such a path"
            )
