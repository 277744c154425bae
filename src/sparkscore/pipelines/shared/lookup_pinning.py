"""The tables that a run looks inputs up in, each at one version, which is a part of the run's pins."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from sparkscore.errors import PinsConflict
from sparkscore.expressions.derived_inputs import DerivedInputs, derive_inputs
from sparkscore.expressions.lookup_content import load_lookup_content
from sparkscore.expressions.typed_expressions import LookupContent
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import LookupExpression, PinnedTable, Pins, find_lookups
from sparkscore.store.table import Table


@dataclass(frozen=True, slots=True)
class PinnedLookups:
    """What a run looks up."""

    tables: tuple[PinnedTable, ...] = ()
    """By their names in the config, sorted."""
    contents: Mapping[LookupExpression, LookupContent] = field(default_factory=dict)


def pin_lookups(attempt: Attempt, keep: Pins | None) -> PinnedLookups:
    """The tables at the versions that are kept, else at their newest, and what is looked up in them.

    Jobs:    one small one for each lookup; none without one.
    Raises:  as `load_lookup_content`; PinsConflict for a table that was made anew since.
    """
    lookups = find_lookups(attempt.settings.model.inputs.values())
    names = sorted({one.table for one in lookups})
    found = {name: Table.from_name(attempt.spark, name, home=attempt.settings.home_uri) for name in names}
    kept = (None,) * len(names) if keep is None else keep.lookups
    pinned = {name: _pin_table(found[name], pin) for name, pin in zip(names, kept, strict=True)}
    contents = {one: load_lookup_content(found[one.table], pinned[one.table].version, one) for one in lookups}
    return PinnedLookups(tuple(pinned.values()), contents)


def _pin_table(table: Table, kept: PinnedTable | None) -> PinnedTable:
    now = PinnedTable(table.id, table.load_newest_version() if kept is None else kept.version)
    if kept is not None and now != kept:
        raise PinsConflict(
            f"the lookup table {table.name} was made anew since the previous attempt",
            "the table that it has pinned",
            "--restart pins source, lookups and model again",
        )
    return now


def find_newer_lookups(attempt: Attempt, pins: Pins) -> dict[str, int]:
    """The lookup tables that have a newer version than the pinned one, and that version.

    Jobs:    none.
    Raises:  TableNotFound, and whatever else a log that cannot be read raises.
    """
    names = sorted({one.table for one in find_lookups(attempt.settings.model.inputs.values())})
    home = attempt.settings.home_uri
    newest = {name: Table.from_name(attempt.session, name, home=home).load_newest_version() for name in names}
    return {name: newest[name] for name, pin in zip(names, pins.lookups, strict=False) if newest[name] > pin.version}


def derive_run_inputs(attempt: Attempt, lookups: PinnedLookups, schema: pa.Schema) -> DerivedInputs:
    """What the run computes of the source's columns before the model sees them.

    Raises:  ConfigError.
    """
    return derive_inputs(attempt.settings.model.inputs, schema, lookups.contents)
