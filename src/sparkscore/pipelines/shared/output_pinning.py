"""Pins of a run: the columns that are computed from its predictions, and the small tables that they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TypeVar

import pyarrow as pa

from sparkscore.errors import ConfigError, PinsConflict, VersionGone
from sparkscore.expressions.lookup_rows import LookupColumns, find_lookup_types, read_lookup_rows
from sparkscore.model.signature.class_labels import find_class_labels
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.calibration_file import read_calibration
from sparkscore.publish.column_planning import plan_output_columns
from sparkscore.publish.known_columns import NO_OUTPUTS, OutputContext, PlannedOutputs
from sparkscore.publish.lookup_planning import MAX_OUTPUT_LOOKUP_ROWS, lookup_digest
from sparkscore.publish.postprocessing import to_delta_type
from sparkscore.records import Label, LookUp, LookupRows, OutputLookup, PinnedGroups, PinnedModel, Pins, TrustPolicy
from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN, REASON_COLUMNS
from sparkscore.settings.output_column_settings import LookupSettings
from sparkscore.store.table import Table

ModelFact = TypeVar("ModelFact")


def pin_run_outputs(
    attempt: Attempt, model: PinnedModel, source: pa.Schema, keep: Pins | None, groups: PinnedGroups | None = None
) -> tuple[PlannedOutputs, tuple[OutputLookup, ...]]:
    """The columns that `output.columns` names, and the tables that they look values up in.

    `keep`: the pins of an earlier attempt, whose tables stay at their versions. `groups`: the models of all groups,
    whose files have to say the same.

    Jobs:    a small one for each table.
    Raises:  ConfigError, ModelError, TableNotFound, AccessDenied; PinsConflict where a pinned table is gone.
    """
    settings = attempt.settings
    if not settings.output.columns:
        return NO_OUTPUTS, ()
    tables, models = _LookupTables(attempt, keep), (model,) if groups is None else groups.pinned
    find_labels = partial(_find_labels, settings.model.trust_policy)
    context = OutputContext(
        _published_types(attempt, model, source),
        cache(lambda: settings.output.classes or _read_of_all(models, "class labels", find_labels)),
        lambda path: _read_of_all(models, f"calibrations in {path}", lambda one: read_calibration(one, path)),
        tables.load,
        dict(model.parts.sizes),
    )
    planned = plan_output_columns(settings.output.columns, context)
    return planned, tables.list_pins([one.operation for one in planned.columns if isinstance(one.operation, LookUp)])


def _find_labels(trust: TrustPolicy, folder: str) -> tuple[Label, ...]:
    return find_class_labels(folder, trust)


def _read_of_all(models: Sequence[PinnedModel], what: str, read: Callable[[str], ModelFact]) -> ModelFact:
    """What the files of each model say, if they all say the same: a column of the table has one meaning.

    Raises:  ConfigError.
    """
    first, *others = {one.digest: one for one in models}.values()
    found = read(first.path)
    other = next((one for one in others if read(one.path) != found), None)
    if other is not None:
        raise ConfigError(
            f"output.columns: {other.name} version {other.version} has other {what} than {first.name} version"
            f" {first.version}",
            "the same in the models of all groups",
            "leave the column out, or score the groups of each kind by a job of its own; labels: output.classes",
        )
    return found


def _published_types(attempt: Attempt, model: PinnedModel, source: pa.Schema) -> dict[str, pa.DataType]:
    own = {PREDICTION_COLUMN: to_delta_type(model.output)}
    if attempt.settings.output.threshold is not None:
        own = {PREDICTION_COLUMN: pa.float64(), LABEL_COLUMN: pa.int32()}
    if model.executed is not None:
        own |= {column.name: column.type for column in REASON_COLUMNS}
    return own | {name: source.field(column).type for column, name in attempt.settings.output_names.items()}


@dataclass(slots=True)
class _LookupTables:
    attempt: Attempt
    keep: Pins | None
    loaded: list[tuple[LookupSettings, LookupRows]] = field(default_factory=list)

    def load(self, lookup: LookupSettings) -> LookupRows:
        """What is looked up in a table, by the rule of `expressions.lookup_rows`."""
        table = Table.from_name(self.attempt.spark, lookup.table, home=self.attempt.settings.home_uri)
        pinned = self._find_pin(lookup)
        if pinned is not None and pinned.table_id != table.id:
            raise _gone_error(lookup, f"it was the table {pinned.table_id}, and is {table.id}")
        version = self._choose_version(lookup, table, pinned)
        words = f"output.columns: the table {lookup.table} (version {version})"
        wanted = LookupColumns(words, tuple(lookup.key), lookup.value, MAX_OUTPUT_LOOKUP_ROWS)
        try:
            find_lookup_types(table, version, wanted)
            found = read_lookup_rows(table, version, wanted)
        except VersionGone as error:
            if pinned is None:
                raise
            raise _gone_error(lookup, error.found) from error
        made = LookupRows(table.id, version, found)
        self.loaded.append((lookup, made))
        return made

    def list_pins(self, operations: Sequence[LookUp]) -> tuple[OutputLookup, ...]:
        """The pins of the tables that were loaded, for operations in the order in which they were."""
        return tuple(
            OutputLookup(lookup.table, rows.table_id, rows.version, lookup_digest([operation]))
            for (lookup, rows), operation in zip(self.loaded, operations, strict=True)
        )

    def _find_pin(self, lookup: LookupSettings) -> OutputLookup | None:
        """What an attempt whose pins are kept has pinned; a version in the config counts more."""
        if self.keep is None or lookup.version is not None:
            return None
        kept = [event.postprocessing.lookups for event in self.attempt.earlier_events if event.pins == self.keep]
        return next((one for pins in reversed(kept) for one in pins if one.table == lookup.table), None)

    def _choose_version(self, lookup: LookupSettings, table: Table, pinned: OutputLookup | None) -> int:
        if lookup.version is not None or pinned is not None:
            return lookup.version if pinned is None else pinned.version  # type: ignore[return-value]
        same = [rows.version for other, rows in self.loaded if other.table == lookup.table and other.version is None]
        return same[0] if same else table.load_newest_version()


def _gone_error(lookup: LookupSettings, found: str) -> PinsConflict:
    return PinsConflict(
        f"what the previous attempt pinned is gone: {lookup.table}: {found}",
        "the pinned version of the table",
        "--restart pins it again",
    )
