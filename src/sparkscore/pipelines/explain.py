"""Explains a key: every score of it over time, by which model, from which source version; or why there is none."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.pipelines.explanation.key_search import KeySearch, choose_attempt_ends
from sparkscore.pipelines.explanation.plain_values import HIDDEN
from sparkscore.records import KeyEntry, KeyExplanation, RunEvent, parse_as_of, to_utc_text
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_session_if_any
from sparkscore.store.run_events import load_chosen_events


def explain_key(
    spark: SparkSession | None, settings: Settings, key: Sequence[str] | Mapping[str, Any], *, as_of: str | None = None
) -> KeyExplanation:
    """Every score of a key, for all as_ofs of the job or for one, and why there is none where there is none.

    Micro-batches of a stream in which the key did not come are counted in the warnings, and listed for one `as_of`.

    `key`: values by key column, or the words of a command line: `id=17`.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded.
    Jobs:    none; one for each table, and each of its versions, that only Spark reads.
    Raises:  ConfigError for a key that does not fit the key columns; ForeignTable, TableNotFound, AccessDenied.
    """
    search = KeySearch.open(create_session_if_any(spark), settings, key)
    moment = None if as_of is None else parse_as_of(as_of)
    every = load_chosen_events(search.target.sibling("_runs"), job=settings.job, choose=choose_attempt_ends)
    events = [event for event in every if moment in (None, event.as_of)]
    entries = [
        *search.explain_runs(events, lists_all_batches=moment is not None),
        *search.list_unrecorded_rows(every, moment),
    ]
    if moment is not None and not entries:
        entries = [_describe_missing_run(moment, every)]
    has_score = any(entry.is_current and entry.status == "scored" for entry in entries)
    return KeyExplanation(
        settings.job,
        "scored" if has_score else "not_scored" if every else "no_runs",
        search.target.path or search.target.name,
        {name: HIDDEN if name in settings.output_sensitive else value for name, value in search.key.items()},
        tuple(sorted(entries, key=lambda entry: (entry.as_of, entry.revision or 0))),
        tuple(search.list_challenger_scores(moment)),
        tuple(search.warnings),
    )


def _describe_missing_run(moment: datetime, events: Sequence[RunEvent]) -> KeyEntry:
    as_ofs = [event.as_of for event in events]
    if not as_ofs:
        text = "the job has no runs yet"
    elif moment < min(as_ofs):
        text = (
            f"the first run of the job is that of {to_utc_text(min(as_ofs))}, or maintenance has removed earlier ones"
        )
    else:
        text = f"no run of this as_of; the newest one is that of {to_utc_text(max(as_ofs))}"
    return KeyEntry(to_utc_text(moment), "no_run", is_current=True, reason=text)
