"""Why a run has no prediction for a key: what the source held, what the filter says, what was scored at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import SparkscoreError
from sparkscore.ingest.key_rows import load_key_rows
from sparkscore.pipelines.shared.source_landing import source_conditions
from sparkscore.pipelines.shared.source_tables import open_source_table
from sparkscore.predicates.arrow_filter import evaluate_arrow_conditions
from sparkscore.predicates.spark_filter import to_arrow_conditions
from sparkscore.records import KeyStatus, Pins, RunEvent
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings import Settings
from sparkscore.store.lost_versions import find_lost_versions
from sparkscore.store.table import Table

_MOST_VERSIONS = 100
"""Source versions in which a key is looked for: each is a table to open."""
_MOST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no prediction."""

    status: KeyStatus
    reason: str


@dataclass
class SourceSearch:
    """Looks for a key in the source as runs have read it; each version once."""

    settings: Settings
    key: Mapping[str, object]
    """By the names of the source."""
    spark: SparkSession | None
    known: dict[tuple[str, int], Absence | None] = field(default_factory=dict)
    skipped: int = 0
    """Runs whose source version was not looked at, because it would have been one too many."""

    def explain_absence(self, publication: RunEvent) -> Absence | None:
        """Why a run could not predict the key, by what it has read; None where it could.

        Needs:   a publication with pins.
        Jobs:    none; one for each version that only Spark reads.
        Raises:  SparkNeeded.
        """
        pins, settings = publication.pins, self._settings_of(publication)
        assert pins is not None  # noqa: S101  who asks has looked
        table = open_source_table(self.spark, settings, publication.as_of)
        place = (table.path or table.name, pins.source_version)
        if place not in self.known:
            if len(self.known) >= _MOST_VERSIONS:
                self.skipped += 1
                return Absence("unknown", f"only the newest {_MOST_VERSIONS} source versions are looked at")
            self.known[place] = self._search_version(table, pins, settings)
        return self.known[place]

    def _settings_of(self, publication: RunEvent) -> Settings:
        """The config as the run had it: one over a micro-batch of a stream has read what the stream has landed."""
        if not publication.is_of_micro_batch:
            return self.settings
        return self.settings.model_copy(update={"source": self.settings.source.of_micro_batches()})

    def _search_version(self, table: Table, pins: Pins, settings: Settings) -> Absence | None:
        version, is_landed = pins.source_version, settings.source.is_landed
        at = f"version {version} of {'the landing of ' if is_landed else ''}{table.name}"
        try:
            if table.id != pins.source_id:
                return Absence("unknown", f"{table.name} is another table now than the one that was scored")
            lost = find_lost_versions(table, [version]).get(version)
            if lost is not None:
                return Absence("unknown", f"{at} can no longer be read: {lost}")
            conditions = () if is_landed else source_conditions(settings)
            columns = [*self.key, *(one.column for one in conditions)]
            rows = load_key_rows(table, self.key, version=version, columns=columns)
            masks = {
                one.description: evaluate_arrow_conditions(
                    to_arrow_conditions([one], rows.schema), _columns_by_name(rows), rows.num_rows
                )
                for one in conditions
            }
        except SparkscoreError as error:
            return Absence("unknown", shorten_redacted(f"{at} was not searched: {error.found}", _MOST_SHOWN))
        if not rows.num_rows:
            return Absence("not_in_source", f"{at}{', made after the filter,' if is_landed else ''} has no such key")
        broken = [text for text, mask in masks.items() if not any(mask.to_pylist())]
        if not broken:
            return None
        return Absence(
            "filtered", f"source.where, as the config has it now, leaves it out of {at}: {', '.join(broken)}"
        )


def _columns_by_name(rows: pa.Table) -> dict[str, pa.Array]:
    return {name: rows[name].combine_chunks() for name in rows.column_names}
