"""Which rows of its source a run scores: all of them, or those that changed since a publication."""

from dataclasses import dataclass
from datetime import datetime

from sparkscore.errors import ConfigError, VersionGone
from sparkscore.ingest.changed_rows import FULL_ADVICE
from sparkscore.pipelines.shared.published_past import PublishedPast
from sparkscore.pipelines.shared.removed_rows import refuse_returning_keys
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ChangeRange, PinnedModel, PinnedTable, Pins, to_utc_text


@dataclass(frozen=True, slots=True)
class ReadChoice:
    """Which rows a run scores."""

    until: int
    """The source version that is read."""
    changes: ChangeRange | None = None
    """None: all rows of the source."""
    reason: str = ""
    """Why all rows are scored."""


@dataclass(frozen=True, slots=True)
class WantedPins:
    """What an attempt would pin, before it is known which rows it scores."""

    source_id: str
    source_version: int
    model: PinnedModel
    lookups: tuple[PinnedTable, ...]


def choose_rows_to_read(attempt: Attempt, wanted: WantedPins, keep: Pins | None, current: Pins | None) -> ReadChoice:
    """The range of an attempt: that of the pins it keeps; that of the publication it replaces; else from the version
    that the publication before has read. All rows where there is none, and where one may not go on from it.

    `current`: the pins of what is published for the as_of.

    Jobs:    none, or small ones where only Spark reaches the run events.
    Raises:  ConfigError for an as_of before one that is published; VersionGone for another source than before.
    """
    past = PublishedPast.load(attempt)
    last = past.last
    if past.after:
        return _keep_past_range(attempt, wanted, current or last, past.after, is_published=current is not None)
    if keep is not None:
        return _keep_range(keep)
    if current is not None and not attempt.is_full:
        return _replace_range(attempt, wanted, current)
    reason = _find_reason_for_all(attempt, wanted, last)
    if reason or last is None:
        return ReadChoice(wanted.source_version, reason=reason)
    return _go_on_from(attempt, wanted, last.source_id, last.source_version)


def _keep_range(pins: Pins) -> ReadChoice:
    since = pins.additions.changes_since
    if since is None:
        return ReadChoice(pins.source_version, reason="as it was pinned before")
    return ReadChoice(pins.source_version, ChangeRange(pins.source_id, since, pins.source_version))


def _replace_range(attempt: Attempt, wanted: WantedPins, current: Pins) -> ReadChoice:
    """The range that begins where that of the publication began, up to now."""
    since = current.additions.changes_since
    if since is None:
        return ReadChoice(wanted.source_version, reason="a full run of the as_of is replaced")
    if attempt.settings.source.on_delete == "delete":  # a key that is there again as it was has lost its rows
        return ReadChoice(wanted.source_version, reason="an increment that may have deleted rows is replaced")
    return _go_on_from(attempt, wanted, current.source_id, since)


def _go_on_from(attempt: Attempt, wanted: WantedPins, source_id: str, since: int) -> ReadChoice:
    name, until = attempt.source.name, wanted.source_version
    if source_id != wanted.source_id:
        raise VersionGone(
            f"{name} is another table than the one that was scored: its id is {wanted.source_id}, and was {source_id};"
            f" what changed since its version {since} is not known",
            "the same table: it was made anew, or source.table names another one",
            FULL_ADVICE,
        )
    if until < since:
        raise VersionGone(
            f"{name} would be read at version {until}, and version {since} is published already",
            "a source whose versions go on: it was made anew, or source.version means an older one",
            FULL_ADVICE,
        )
    return ReadChoice(until, ChangeRange(source_id, since, until))


def _find_reason_for_all(attempt: Attempt, wanted: WantedPins, last: Pins | None) -> str:
    """Why predictions of rows that did not change may be others now; empty where they are not."""
    if attempt.is_full:
        return "--full"
    if last is None:
        return "the first run of the job"
    if last.settings_digest not in (attempt.scoring_digest, attempt.former_scoring_digest):
        return "settings that decide on rows and values changed"
    if attempt.settings.source.on_new_model == "from_now":
        return ""
    if (last.model_name, last.model_version) != (wanted.model.name, wanted.model.version):
        return f"model version {wanted.model.version} after {last.model_version}"
    return "" if wanted.lookups == last.lookups else "a lookup table changed"


def _keep_past_range(
    attempt: Attempt, wanted: WantedPins, pins: Pins | None, after: datetime, *, is_published: bool
) -> ReadChoice:
    """Of an as_of before others: the range that it had, or none. A key that it got or lost otherwise, and that no later
    increment has, would hide what those know of it.

    `pins`: of what is published for the as_of, else of the publication before.

    Raises:  ConfigError for one that is not published and has changes, and for other rows of it.
    """
    if pins is not None and not attempt.is_full:
        if is_published:
            refuse_returning_keys(attempt)
            return _keep_range(pins)
        if (pins.source_id, pins.source_version) == (wanted.source_id, wanted.source_version):
            return _go_on_from(attempt, wanted, pins.source_id, pins.source_version)
    raise ConfigError(
        f"{to_utc_text(attempt.as_of)} is older than {to_utc_text(after)}, which is published: later"
        " increments follow one another without it",
        "an as_of after all that are published: with source.read: changes they are published in their order",
        "choose a later as_of; a job with source.read: all, and a table of its own, publishes any as_of",
    )
