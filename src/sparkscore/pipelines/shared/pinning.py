"""Pins of a run: resolved once, by versions and digests, and checked before a row is read."""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sparkscore.errors import ConfigError, DigestMismatch, ModelNotFound, PinsConflict
from sparkscore.gate.row_rules import row_rules
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.model.trust.model_digest import compute_former_digest
from sparkscore.pipelines.shared.pins_comparison import other_pins
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.postprocessing import derive_table_contract
from sparkscore.records import PinnedModel, Pins, RowRules, Run, Snapshot
from sparkscore.schemas import TableContract
from sparkscore.settings import Settings
from sparkscore.store.table_contracts import check_table_contract


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an attempt has resolved before it reads a row."""

    run: Run
    model: PinnedModel
    model_columns: tuple[str, ...]
    """The source column of each model input, in the model's order."""
    snapshot: Snapshot
    contract: TableContract
    rules: RowRules
    """What a row must meet to be scored."""


def pin_run(attempt: Attempt, decision: Decision, *, copies: str | None = None) -> Plan:
    """The run's pins: those of an attempt that did not end, else resolved now; checked against each other.

    Raises:  ModelError, SignatureError, ConfigError, PinsConflict, RegistryUnreachable.
    """
    # pins that the present config cannot make any more: it was changed on purpose, and is resolved anew
    keep = None if decision.keep is None or other_pins(attempt, decision.keep) else decision.keep
    model, snapshot = _resolve_inputs(attempt, keep, copies or copies_folder(attempt.settings))
    _warn_of_paths(attempt)
    pins = _pin_inputs(attempt, model, snapshot, keep)
    columns = match_input_columns(model, snapshot.schema, attempt.settings.model.inputs)
    contract = _derive_checked_contract(attempt, model, snapshot)
    run = Run(
        attempt.settings.job,
        attempt.as_of,
        decision.revision,
        decision.attempt,
        pins,
        attempt.source.name,
        model.model_id,
        attempt.postprocessing_of(pins),
    )
    attempt.run = run
    attempt.report_pins(pins, model_id=model.model_id, run_id=run.run_id)
    source, suite = attempt.settings.source, attempt.suites.get("input")
    rules = row_rules(source.keys, snapshot.schema, suite, sensitive=source.sensitive)
    return Plan(run, model, columns, snapshot, contract, rules)


def _resolve_inputs(attempt: Attempt, keep: Pins | None, copies: str) -> tuple[PinnedModel, Snapshot]:
    try:
        model = _resolve_run_model(attempt.settings, keep, copies)
        return model, _pin_run_source(attempt, model, keep)
    except (ModelNotFound, ConfigError) as error:
        if keep is None:
            raise
        raise PinsConflict(
            f"what the previous attempt pinned is gone: {error.found}",
            "the pinned model version and source version",
            "--restart pins source and model again",
        ) from error


def _pin_inputs(attempt: Attempt, model: PinnedModel, snapshot: Snapshot, keep: Pins | None) -> Pins:
    digest = model.digest if keep is None else _kept_digest(model, keep)
    scoring_digest = attempt.scoring_digest if keep is None else keep.scoring_digest
    pins = Pins(snapshot.table_id, snapshot.version, model.name, model.version, digest, scoring_digest)
    if keep is not None and keep != pins:
        raise PinsConflict(
            "; ".join(keep.differences(pins)),
            "the pins of the previous attempt",
            "--restart pins source and model again",
        )
    return pins


def _derive_checked_contract(attempt: Attempt, model: PinnedModel, snapshot: Snapshot) -> TableContract:
    """The columns of the prediction table; where the table exists, it has them."""
    source = attempt.settings.source
    contract = derive_table_contract(
        snapshot.schema,
        keys=source.keys,
        output=model.output,
        passthrough=source.passthrough,
        threshold=attempt.settings.output.threshold,
    )
    if attempt.target.exists():
        check_table_contract(attempt.target, contract, job=attempt.settings.job)
    return contract


def _kept_digest(model: PinnedModel, keep: Pins) -> str:
    """The digest by which the pins name the model's files: runs and stages that older versions began keep their names.

    Raises:  DigestMismatch where the pins name other files.
    """
    if keep.model_digest in (model.digest, compute_former_digest(model.path)):
        return keep.model_digest
    raise DigestMismatch(
        f"the files of {model.name} version {model.version} have the digest {model.digest[:12]}",
        f"{keep.model_digest[:12]}, as the previous attempt pinned them",
        "find out who changed them and restore them; --restart takes them as they are",
    )


def _warn_of_paths(attempt: Attempt) -> None:
    sensitive = attempt.settings.source.sensitive
    if sensitive:
        named = [name for name in attempt.source.partition_columns if name in sensitive]
        if named:
            attempt.warn(
                f"the source is partitioned by {', '.join(named)}: the paths of its files hold sensitive values,"
                " and Spark's own logs may name such a path"
            )


def copies_folder(settings: Settings) -> str:
    """Where private copies of models lie: under a local home, else in a folder of this process.

    What Databricks mounts looks local, and its folders are open to everybody, whatever their mode is set to.
    """
    home = settings.home_uri
    is_mounted = "DATABRICKS_RUNTIME_VERSION" in os.environ and home.startswith(("/dbfs/", "/Volumes/", "/Workspace/"))
    is_local = Path(home).is_absolute() and not is_mounted
    return f"{home}/models" if is_local else tempfile.mkdtemp(prefix="sparkscore-models-")


def _resolve_run_model(settings: Settings, keep: Pins | None, copies: str) -> PinnedModel:
    uri = settings.model.uri if keep is None else f"models:/{keep.model_name}/{keep.model_version}"
    return resolve_model(
        uri,
        tracking_uri=settings.tracking_uri,
        runtime=settings.model.runtime,
        params=settings.model.params,
        inputs=settings.model.inputs,
        copies=copies,
    )


def _pin_run_source(attempt: Attempt, model: PinnedModel, keep: Pins | None) -> Snapshot:
    source, inputs = attempt.settings.source, attempt.settings.model.inputs
    wanted = [
        inputs.get(one.name or str(position), one.name or str(position)) for position, one in enumerate(model.inputs)
    ]
    suite = attempt.suites.get("input")
    judged = [name for one in (suite.reject_expectations if suite else ()) for name in one.columns]
    return ingest.pin_source(
        attempt.source,
        version=source.version if keep is None else keep.source_version,
        as_of=attempt.as_of,
        keys=source.keys,
        where=[
            replace(condition.to_condition(), sensitive=condition.column in source.sensitive)
            for condition in source.where
        ],
        columns=(*source.keys, *wanted, *source.passthrough, *judged),
        passthrough=source.passthrough,
        sensitive=source.sensitive,
    )
