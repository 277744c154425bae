"""Pins of a run: resolved once, by versions and digests, and checked before a row is read."""

from dataclasses import dataclass, replace

import pyarrow as pa

from sparkscore.errors import ConfigError, ModelNotFound, PinsConflict
from sparkscore.gate.row_rules import row_rules
from sparkscore.lifecycle import Decision
from sparkscore.model.signature.input_policies import InputPolicies, apply_input_policies
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.pipelines.shared.model_pinning import choose_copies_folder, find_kept_digest, resolve_run_model
from sparkscore.pipelines.shared.pins_comparison import other_pins
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import corrupt_column
from sparkscore.pipelines.shared.source_pinning import Landing, configured_input_policies, pin_run_source
from sparkscore.publish.postprocessing import check_threshold, derive_table_contract
from sparkscore.publish.prediction_nulls import choose_nullable_parts
from sparkscore.records import PinnedModel, Pins, RowRules, Run, Snapshot
from sparkscore.schemas import TableContract
from sparkscore.store.table_growth import TableGrowth, plan_table_growth


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an attempt has resolved before it reads a row."""

    run: Run
    model: PinnedModel
    model_columns: tuple[str | None, ...]
    """The source column of each model input, in the model's order; None for an optional one that the source lacks."""
    snapshot: Snapshot
    contract: TableContract
    rules: RowRules
    """What a row must meet to be scored."""
    growth: TableGrowth | None
    """What the publication adds to the prediction table; None where there is none yet."""
    nullable: frozenset[str] = frozenset()
    """Paths of the parts of a prediction that may be NULL."""

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The source columns that the model reads, in the model's order."""
        return tuple(column for column in self.model_columns if column is not None)


def pin_run(attempt: Attempt, decision: Decision, *, copies: str | None = None, landing: Landing = "once") -> Plan:
    """The run's pins: those of an attempt that did not end, else resolved now; checked against each other.

    A source without versions is landed for the as_of: once, or anew; `never` leaves a snapshot of `NOT_LANDED`.

    Raises:  ModelError, SignatureError, ConfigError, PinsConflict, RegistryUnreachable.
    """
    # pins that the present config cannot make any more: it was changed on purpose, and is resolved anew
    keep = None if decision.keep is None or other_pins(attempt, decision.keep) else decision.keep
    model, snapshot = _resolve_inputs(attempt, keep, copies or choose_copies_folder(attempt), landing)
    _warn_of_paths(attempt)
    for warning in model.warnings:
        attempt.warn(warning)
    pins = _pin_inputs(attempt, model, snapshot, keep)
    policies = configured_input_policies(attempt.settings.model)
    model, columns = _match_inputs(attempt, model, snapshot.schema, policies)
    snapshot = replace(snapshot, columns=tuple(name for name in snapshot.columns if name in snapshot.schema.names))
    contract = _derive_contract(attempt, model, snapshot)
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
        attempt.postprocessing_of(pins),
        attempt.first_job,
    )
    attempt.run = run
    attempt.report_pins(pins, model_id=model.model_id, run_id=run.run_id)
    source, suite = attempt.settings.source, attempt.suites.get("input")
    missing = {name: policies.column(name) for name in policies.rejecting}
    corrupt = corrupt_column(attempt.settings)
    rules = row_rules(source.keys, snapshot.schema, suite, sensitive=source.sensitive, missing=missing, corrupt=corrupt)
    return Plan(run, model, columns, snapshot, contract, rules, growth, nullable)


def _match_inputs(
    attempt: Attempt, model: PinnedModel, schema: pa.Schema, policies: InputPolicies
) -> tuple[PinnedModel, tuple[str | None, ...]]:
    """The model with the inputs that it gets, and the source column of each.

    Warns of optional ones that are absent: a column that disappears from the source changes predictions.
    """
    before, model = input_names(model.inputs), apply_input_policies(model, schema, policies)
    absent = [name for name in before if name not in input_names(model.inputs)]
    if absent:
        attempt.warn(
            f"the source lacks optional inputs, and the model is called without them: {', '.join(absent)};"
            " model.missing gives them NULL (pass) or a value, without this warning"
        )
    return model, match_input_columns(model, schema, policies.columns)


def _resolve_inputs(attempt: Attempt, keep: Pins | None, copies: str, landing: Landing) -> tuple[PinnedModel, Snapshot]:
    try:
        model = resolve_run_model(attempt, keep, copies)
        return model, pin_run_source(attempt, model, keep, landing)
    except (ModelNotFound, ConfigError) as error:
        if keep is None:
            raise
        raise PinsConflict(
            f"what the previous attempt pinned is gone: {error.found}",
            "the pinned model version and source version",
            "--restart pins source and model again",
        ) from error


def _pin_inputs(attempt: Attempt, model: PinnedModel, snapshot: Snapshot, keep: Pins | None) -> Pins:
    digest = model.digest if keep is None else find_kept_digest(model, keep)
    scoring_digest = attempt.scoring_digest if keep is None else keep.scoring_digest
    pins = Pins(snapshot.table_id, snapshot.version, model.name, model.version, digest, scoring_digest)
    if keep is not None and keep != pins:
        raise PinsConflict(
            "; ".join(keep.differences(pins)),
            "the pins of the previous attempt",
            "--restart pins source and model again",
        )
    return pins


def _derive_contract(attempt: Attempt, model: PinnedModel, snapshot: Snapshot) -> TableContract:
    source = attempt.settings.source
    check_threshold(attempt.settings.output.threshold, model.output, model.parts)
    return derive_table_contract(
        snapshot.schema,
        keys=source.keys,
        output=model.output,
        passthrough=source.passthrough,
        threshold=attempt.settings.output.threshold,
        names=attempt.settings.output_names,
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
