"""Watches the source of a stream: how far it is ahead, and whether versions were lost that the stream needs."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql.streaming.query import StreamingQuery

from sparkscore.errors import VersionGone
from sparkscore.ingest.stream_source import parse_delta_offset
from sparkscore.records import SourceLag
from sparkscore.store.stream_checkpoint import StreamCheckpoint
from sparkscore.store.table import Table

_BEHIND_LATEST = "maxOffsetsBehindLatest"


@dataclass(slots=True)
class SourceWatch:
    """The source of one stream. Other sources than Delta tables have no versions, and are not watched."""

    table: Table | None
    checkpoint: StreamCheckpoint

    def find_next_version(self, number: int) -> int | None:
        """The version whose rows come after a micro-batch, or whose further rows do; None for other sources."""
        return None if self.table is None else parse_delta_offset(self.checkpoint.load_offset(number))

    def refuse_gap(self, number: int) -> None:
        """Refuse to go on where the log has lost the version with which a micro-batch begins.

        Delta itself sees most of it; what it does not see would be rows that are never scored.

        Raises:  VersionGone with the versions that are missing.
        """
        offset = self.checkpoint.load_offset(number - 1) if number > 0 else None
        first = parse_delta_offset(offset)
        if self.table is None or offset is None or first is None or offset.get("isStartingVersion"):
            return
        newest = self.table.load_newest_version()
        if first > newest or self.table.find_commit_time(first) is not None:
            return
        raise log_gap_error(self.table, first)

    def measure_lag(self, number: int | None) -> SourceLag | None:
        """How far the source is ahead of a micro-batch; None where that is not known."""
        following = None if number is None else self.find_next_version(number)
        if self.table is None or following is None:
            return None
        behind = max(self.table.load_newest_version() - following + 1, 0)
        if not behind:
            return SourceLag(0, 0.0)
        since = self.table.find_commit_time(following)
        seconds = None if since is None else round(max((datetime.now(UTC) - since).total_seconds(), 0.0), 3)
        return SourceLag(behind, seconds)


def read_topic_lag(query: StreamingQuery) -> SourceLag | None:
    """How far a topic is ahead, as Spark's progress of the last micro-batch says; None where it does not."""
    progress = query.lastProgress
    sources = () if progress is None else progress.sources
    found = [float(one.metrics[_BEHIND_LATEST]) for one in sources if _BEHIND_LATEST in (one.metrics or {})]
    return SourceLag(round(max(found))) if found else None


def log_gap_error(table: Table, first: int) -> VersionGone:
    """What to say where the log of a table no longer has a version that comes next."""
    left = [version for version, _ in table.load_user_metadata() if version > first]
    last = min(left, default=table.load_newest_version() + 1) - 1
    which = (
        f"version {first} of {table.name} is" if first == last else f"versions {first} to {last} of {table.name} are"
    )
    return VersionGone(
        f"{which} gone from its log, and the stream has not scored their rows",
        "a log that is kept longer than the stream stands still: delta.logRetentionDuration",
        f"restore them; or go on without them: --new-checkpoint --stream.starting_version {last + 1}; `score` scores"
        " the whole table as it is",
    )
