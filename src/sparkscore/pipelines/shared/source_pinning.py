"""The source of a run at its pinned version; a source without versions is landed first."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import pyarrow as pa

from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.column_checks import check_source_columns
from sparkscore.model.signature.input_policies import InputPolicies, apply_input_policies
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import (
    corrupt_column,
    find_landing,
    land_source,
    landed_schema,
    read_unlanded_columns,
    source_conditions,
)
from sparkscore.records import LandedRows, PinnedModel, Pins, Snapshot, to_utc_text
from sparkscore.settings import ModelSettings

Landing = Literal["once", "anew", "never"]
"""Whether a source without versions is landed: where nothing is for the as_of, in any case, or not at all."""
NOT_LANDED = "not landed"
"""In the place of a table's id: the snapshot has columns, and nothing can be read of it yet."""


def configured_input_policies(settings: ModelSettings) -> InputPolicies:
    """What the config says of the model's inputs."""
    return InputPolicies(settings.inputs, settings.casts, settings.missing)


def pin_run_source(attempt: Attempt, model: PinnedModel, keep: Pins | None, landing: Landing) -> Snapshot:
    """The source at the version that is kept, else at the one that the config means; what is landed has no filter left.

    Jobs:    none for a Delta table; else as `land_source`, where nothing is landed for the as_of yet.
    Raises:  as `pin_source` and `land_source`.
    """
    source, columns = attempt.settings.source, _columns_to_read(attempt, model)
    version, where = source.version if keep is None else keep.source_version, source_conditions(attempt.settings)
    if source.is_landed:
        where = ()  # what is landed has met it
        if keep is None:
            attempt.landed = _find_or_land(attempt, model, landing)
            if attempt.landed is None:
                return _unlanded_snapshot(attempt, model, columns)
            version = attempt.landed.version
    return ingest.pin_source(
        attempt.source,
        version=version,
        as_of=attempt.as_of,
        keys=source.keys,
        where=where,
        columns=columns,
        passthrough=source.passthrough,
        sensitive=source.sensitive,
        names=attempt.settings.output_names,
    )


def _columns_to_read(attempt: Attempt, model: PinnedModel) -> tuple[str, ...]:
    source, inputs = attempt.settings.source, attempt.settings.model.inputs
    wanted = [
        inputs.get(one.name or str(position), one.name or str(position)) for position, one in enumerate(model.inputs)
    ]
    suite, corrupt = attempt.suites.get("input"), corrupt_column(attempt.settings)
    judged = [name for one in (suite.reject_expectations if suite else ()) for name in one.columns]
    return (*source.keys, *wanted, *source.passthrough, *judged, *([corrupt] if corrupt else []))


def _find_or_land(attempt: Attempt, model: PinnedModel, landing: Landing) -> LandedRows | None:
    """What the run reads of a source without versions; None where it is to be landed, and not now."""
    found = None if landing == "anew" else find_landing(attempt)
    if found is None and landing != "never":
        return land_source(attempt, partial(_check_unlanded_columns, attempt, model))
    if found is not None and attempt.earlier_events:
        attempt.warn(
            f"the run reads what was landed of {attempt.source.name} at {to_utc_text(found.landed_at)};"
            " --restart lands it anew"
        )
    return found


def _check_unlanded_columns(attempt: Attempt, model: PinnedModel, schema: pa.Schema) -> None:
    """Refuse what pinning would refuse, before a copy is made."""
    source, policies = attempt.settings.source, configured_input_policies(attempt.settings.model)
    check_source_columns(
        schema,
        table=attempt.source.name,
        keys=source.keys,
        passthrough=source.passthrough,
        where=source_conditions(attempt.settings),
        sensitive=source.sensitive,
        names=attempt.settings.output_names,
    )
    match_input_columns(apply_input_policies(model, schema, policies), schema, policies.columns)


def _unlanded_snapshot(attempt: Attempt, model: PinnedModel, columns: Sequence[str]) -> Snapshot:
    """What the run would read, with the columns that the source has now."""
    schema = landed_schema(*read_unlanded_columns(attempt, partial(_check_unlanded_columns, attempt, model)))
    read = tuple(dict.fromkeys(columns))
    return Snapshot(attempt.source.ref, NOT_LANDED, 0, schema, read, attempt.settings.source.keys)
