"""The model of a run whose predictions have reasons: what executes in its place, and the table of its average row."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError, PinsConflict
from sparkscore.expressions.derived_inputs import DerivedInputs
from sparkscore.model.registry.explained_copies import ExplanationRequest, build_explained_copy
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinnedModel, PinnedTable, Pins
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table

BACKGROUND_ROWS = 1_000


def pin_background(attempt: Attempt, keep: Pins | None) -> PinnedTable | None:
    """The table of `reasons.background` at the version that is kept, else at its newest.

    Jobs:    none.
    Raises:  TableNotFound, AccessDenied.
    """
    if keep is not None:
        return keep.additions.background
    reasons = attempt.settings.reasons
    if reasons is None or reasons.background is None:
        return None
    table = _open_background(attempt, reasons.background)
    return PinnedTable(table.id, table.load_newest_version())


def explain_run_model(
    attempt: Attempt,
    model: PinnedModel,
    columns: Sequence[str | None],
    derived: DerivedInputs,
    pins: Pins,
    *,
    copies: str,
) -> PinnedModel:
    """The model with what executes in its place, where the config asks for reasons; else the model as it is.

    Needs:   `columns`, of the source or computed, one per input.
    Jobs:    one where the config names a background, which reads `BACKGROUND_ROWS` of its rows.
    Raises:  ModelError for a model that cannot be explained; ConfigError for the background; PinsConflict where it was
             made anew; VersionGone, AccessDenied.
    """
    reasons, sensitive = attempt.settings.reasons, set(attempt.settings.source.sensitive)
    if reasons is None:
        return model
    names = _name_inputs(model)
    sources = [() if column is None else tuple(derived.source_columns(column)) for column in columns]
    per_name = sources if len(sources) == len(names) else sources * len(names)
    hidden = tuple(name for name, found in zip(names, per_name, strict=True) if sensitive.intersection(found))
    background = _load_background(attempt, model, pins.additions.background)
    return build_explained_copy(model, ExplanationRequest(reasons.top, names, hidden, background), copies)


def _name_inputs(model: PinnedModel) -> tuple[str, ...]:
    """The names of the features; positions where the signature has none."""
    first = model.inputs[0]
    if len(model.inputs) == 1 and pa.types.is_list(first.type) and first.shape:
        return tuple(map(str, range(first.shape[-1])))
    return tuple(str(index) if one.name is None else one.name for index, one in enumerate(model.inputs))


def _load_background(attempt: Attempt, model: PinnedModel, pin: PinnedTable | None) -> pa.Table | None:
    """Rows of the table, by the model's inputs: the same ones of the same version, whoever reads it."""
    reasons = attempt.settings.reasons
    if pin is None or reasons is None or reasons.background is None:
        return None
    table = _open_background(attempt, reasons.background)
    if table.id != pin.id:
        raise PinsConflict(
            f"the table {table.name} of reasons.background was made anew since the previous attempt",
            "the table that it has pinned",
            "--restart pins source, model and background again",
        )
    rows = table.load_rows(pin.version)
    known = spark_to_arrow_schema(rows.schema).names
    mapped = attempt.settings.model.mapped_inputs
    named = {str(one.name): str(one.name) for one in model.inputs}
    found = {name: mapped.get(name, name) if mapped.get(name, name) in known else name for name in named}
    missing = [name for name, column in found.items() if column not in known]
    if missing:
        raise ConfigError(
            f"the table {table.name} of reasons.background lacks {', '.join(missing)}",
            f"columns for all inputs of the model: {', '.join(named)}",
            "name a table that has them, such as the model's training data, or remove reasons.background",
        )
    chosen = rows.select(*(F.col(quote_identifier(column)).alias(name) for name, column in found.items()))
    with translate_spark_errors(f"reading {table.name}"):
        columns = [F.col(quote_identifier(name)) for name in found]
        return chosen.na.drop("all").orderBy(F.xxhash64(*columns), *columns).limit(BACKGROUND_ROWS).toArrow()


def _open_background(attempt: Attempt, name: str) -> Table:
    return Table.from_name(attempt.spark, name, home=attempt.settings.home_uri)
