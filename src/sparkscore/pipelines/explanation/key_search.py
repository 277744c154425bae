"""Walks through the runs of a job, and tells of each what it says of one key."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import VersionGone
from sparkscore.ingest.key_rejects import KeyReject, load_key_rejects
from sparkscore.pipelines.explanation.absence import SourceSearch
from sparkscore.pipelines.explanation.key_history import (
    EarlierRows,
    KeyRows,
    Row,
    describe_row_model,
    describe_seen_row,
)
from sparkscore.pipelines.explanation.key_parsing import fit_key_values, read_key
from sparkscore.pipelines.explanation.key_types import find_key_types
from sparkscore.pipelines.shared.report_codec import model_of_pins
from sparkscore.records import FOLLOW_UP_EVENTS, ChallengerScore, KeyEntry, RunEvent, to_utc_text
from sparkscore.schemas import CHALLENGERS_SUFFIX, CHAMPION_RUN_COLUMN
from sparkscore.settings import Settings
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner

Publications = list[RunEvent]
_NOT_IN_BATCH = ("not_in_source", "unknown")
"""What is no news of a micro-batch: most keys do not come in it."""


@dataclass
class KeySearch:
    """One key of a job: what readers see of it now, its rejects, and where else to look."""

    spark: SparkSession | None
    settings: Settings
    target: Table
    key: Mapping[str, Any]
    """By the names of the prediction table."""
    now: KeyRows
    rejects: Mapping[str, KeyReject]
    """By run_id."""
    source: SourceSearch
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, spark: SparkSession | None, settings: Settings, key: Sequence[str] | Mapping[str, Any]
    ) -> "KeySearch":
        """A search for the key that is given.

        Jobs:    as `load_key_rows`.
        Raises:  ConfigError for a key that does not fit; ForeignTable, TableNotFound, SparkNeeded.
        """
        columns = {source: settings.output_names[source] for source in settings.source.keys}
        values = read_key(key, {**columns, **{name: name for name in columns.values()}})
        target = Table.from_name(spark, settings.output.table, home=settings.home_uri)
        exists = target.exists()
        if exists:
            check_table_owner(target, job=settings.job)
        kinds = find_key_types(target if exists else None, spark, settings, columns)
        hidden = settings.output_sensitive
        fitted = fit_key_values(values, kinds, sensitive=hidden)
        rejects = load_key_rejects(target.sibling("_rejects"), fitted, kinds, job=settings.job, sensitive=hidden)
        now = KeyRows.load(target, fitted) if exists else KeyRows((), pa.schema([]))
        in_source = {source: fitted[name] for source, name in columns.items()}
        return cls(spark, settings, target, fitted, now, rejects, SourceSearch(settings, in_source, spark))

    def explain_runs(self, events: Sequence[RunEvent], *, lists_all_batches: bool = False) -> list[KeyEntry]:
        """What each publication says of the key, and what became of as_ofs without one; oldest first.

        A key comes in few micro-batches of a stream: those without it are counted in the warnings.
        `lists_all_batches`: they are listed, too.

        Needs:   the last event of each attempt, oldest first.
        Jobs:    one for each version of a table that only Spark reads.
        Raises:  SparkNeeded.
        """
        groups = [(as_of, list(found)) for as_of, found in groupby(events, key=lambda event: event.as_of)]
        publications = {as_of: _list_key_publications(found) for as_of, found in groups}
        earlier = EarlierRows(self.target, self.key, list(self._superseded_versions(publications)))
        entries: list[KeyEntry] = []
        left_out: Counter[str] = Counter()
        for as_of, found in reversed(groups):  # the newest source versions are looked at first
            told = list(self._explain_as_of(publications[as_of], earlier))
            if not lists_all_batches and any(event.is_of_micro_batch for event in publications[as_of]):
                left_out.update(entry.status for entry in told if entry.status in _NOT_IN_BATCH)
                told = [entry for entry in told if entry.status not in _NOT_IN_BATCH]
            entries += [*told, *_describe_unpublished(found, publications[as_of])]
        self.warnings += _describe_left_out(left_out, self.source.skipped)
        return sorted(entries, key=lambda entry: (entry.as_of, entry.revision or 0))

    def list_unrecorded_rows(self, known: Sequence[RunEvent], as_of: datetime | None) -> Iterator[KeyEntry]:
        """Rows that readers see of runs that no event tells of."""
        runs = {event.run_id for event in known}
        for row in self.now.rows:
            if row["run_id"] not in runs and as_of in (None, row["as_of"]):
                entry = describe_seen_row(self.now, row, self._plain_values(self.now, row), to_utc_text(row["as_of"]))
                yield replace(entry, is_current=True, reason=entry.reason or "no run event tells of this run")

    def list_challenger_scores(self, as_of: datetime | None) -> list[ChallengerScore]:
        """What challengers have predicted, oldest first.

        Jobs:    none; one where only Spark reads their table.
        """
        table = self.target.sibling(CHALLENGERS_SUFFIX)
        if not table.exists():
            return []
        check_table_owner(table, job=self.settings.job)
        found = KeyRows.load(table, self.key)
        scores = [
            ChallengerScore(
                to_utc_text(row["as_of"]),
                describe_row_model(row),
                row["run_id"],
                row[CHAMPION_RUN_COLUMN],
                row["source_version"],
                None if row["scored_at"] is None else to_utc_text(row["scored_at"]),
                self._plain_values(found, row),
            )
            for row in found.rows
            if as_of in (None, row["as_of"])
        ]
        return sorted(scores, key=lambda score: (score.as_of, score.model.name, score.model.version))

    def _superseded_versions(self, publications: Mapping[datetime, Publications]) -> Iterator[int]:
        for found in publications.values():
            for event in found:
                if event.table_version is not None and self.now.find_row(event.run_id) is None:
                    yield event.table_version

    def _explain_as_of(self, publications: Publications, earlier: EarlierRows) -> Iterator[KeyEntry]:
        for event in publications:
            is_last = event is publications[-1]
            row = self.now.find_row(event.run_id)
            if row is not None:
                yield replace(self._describe_row(event, self.now, row), is_current=True)
            elif is_last:
                yield replace(self._explain_absence(event, earlier), is_current=True)
            else:
                yield self._describe_superseded(event, earlier)

    def _describe_superseded(self, event: RunEvent, earlier: EarlierRows) -> KeyEntry:
        try:
            found = earlier.load_version(event.table_version)
        except VersionGone as gone:
            return replace(_describe_key_run(event), status="unreadable", reason=gone.found)
        row = found.find_row(event.run_id)
        return self._explain_absence(event, None) if row is None else self._describe_row(event, found, row)

    def _describe_row(self, event: RunEvent, table: KeyRows, row: Row) -> KeyEntry:
        entry = describe_seen_row(table, row, self._plain_values(table, row), to_utc_text(event.as_of))
        return replace(
            entry,
            revision=event.revision,
            verb=event.verb,
            source=event.source_table,
            table_version=event.table_version,
        )

    def _explain_absence(self, event: RunEvent, earlier: EarlierRows | None) -> KeyEntry:
        """Why a publication has no row of the key. `earlier`: where to look whether it had one, and lost it."""
        entry, reject = _describe_key_run(event), self.rejects.get(event.run_id or "")
        if reject is not None:
            why = "; ".join(text for text in (reject.error, reject.message) if text)
            return replace(entry, status="rejected", code=reject.code, reason=why or None)
        if event.pins is None:
            return replace(entry, reason="the run events do not say what the run has read")
        absence = self.source.explain_absence(event)
        if absence is not None and absence.status != "unknown":
            return replace(entry, status=absence.status, reason=absence.reason)
        known = "the source has the key at that version, and source.where takes it: was it another one then?"
        try:
            removed = None if earlier is None else self._find_removed_row(event, earlier)
        except VersionGone as gone:
            removed, known = None, f"it may have been removed by a later commit: {gone.found}"
        if removed is not None:
            return removed
        since = event.pins.additions.changes_since
        if since is not None:
            text = f"only rows that changed after version {since} of the source were scored"
            return replace(entry, status="unchanged", reason=text)
        return replace(entry, reason=known if absence is None else absence.reason)

    def _find_removed_row(self, event: RunEvent, earlier: EarlierRows) -> KeyEntry | None:
        found = earlier.load_version(event.table_version)
        row = found.find_row(event.run_id)
        if row is None:
            return None
        text = "the run has published it; a later commit to the prediction table has removed it"
        return replace(self._describe_row(event, found, row), status="removed", reason=text)

    def _plain_values(self, table: KeyRows, row: Row) -> Mapping[str, Any]:
        return table.plain_values(row, self.key, self.settings.output_sensitive)


def _describe_left_out(batches: Mapping[str, int], skipped: int) -> Iterator[str]:
    """Warnings of what has no entry. `batches`: micro-batches by status; `skipped`: runs that were not searched."""
    if batches["not_in_source"]:
        yield f"micro-batches in which the key did not come, which are not listed: {batches['not_in_source']:,}"
    if batches["unknown"]:
        yield (
            "micro-batches of which it is not known whether the key came, as their landed rows are gone or were not"
            f" searched: {batches['unknown']:,}"
        )
    elif skipped:
        yield f"in {skipped:,} runs the source was not searched for the key"


def choose_attempt_ends(events: Sequence[RunEvent]) -> list[RunEvent]:
    """The last event of each attempt, without what followed a publication."""
    ends = {
        (event.as_of, event.revision, event.attempt): event for event in events if event.event not in FOLLOW_UP_EVENTS
    }
    return list(ends.values())


def _list_key_publications(events: Sequence[RunEvent]) -> Publications:
    """One event of each run of an as_of that was published, oldest first."""
    return list({event.run_id: event for event in events if event.event == "published"}.values())


def _describe_key_run(event: RunEvent) -> KeyEntry:
    """What is known of a run that has no row of the key."""
    pins = event.pins
    return KeyEntry(
        to_utc_text(event.as_of),
        "unknown",
        is_current=False,
        revision=event.revision,
        run_id=event.run_id,
        verb=event.verb,
        model=None if pins is None else model_of_pins(pins, event.model_id or ""),
        source=event.source_table,
        source_version=None if pins is None else pins.source_version,
        published_at=to_utc_text(event.at) if event.event == "published" else None,
        table_version=event.table_version,
    )


def _describe_unpublished(events: Sequence[RunEvent], publications: Publications) -> Iterator[KeyEntry]:
    """The last attempt of an as_of, where it has not published: the only one, or one that was to supersede another."""
    last = events[-1]
    if last.event == "published" or (publications and last.revision <= publications[-1].revision):
        return
    attempt = f"attempt {last.attempt} of `{last.verb}`"
    told = f": {last.message.splitlines()[0]}" if last.message else ""
    ended = {"failed": f"failed with exit code {last.exit_code}", "aborted": "was aborted"}
    text = f"{attempt} {ended.get(last.event, 'has not ended: it is under way, or it died')}{told}"
    entry = _describe_key_run(last)
    yield replace(entry, status="not_published", is_current=not publications, code=last.error, reason=text)
