"""What a stream is before its first micro-batch: its tables and its source, checked against one another."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, TableNotFound, UnsupportedSession
from sparkscore.ingest.stream_source import StreamSource
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.records import RunEvent
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner, list_former_jobs

_EVENTS_AS_OFS = 50
"""Micro-batches of this job are looked for in the events of so many newest as_ofs."""
_FEED_PROPERTY = "delta.enableChangeDataFeed"


@dataclass(frozen=True, slots=True)
class StreamJob:
    """A job and the source of its stream. Driver only."""

    spark: SparkSession
    settings: Settings
    target: Table
    source: StreamSource
    source_table: Table | None
    """The Delta table; None for other sources."""
    names: tuple[str, ...]
    """The job's name, and those that it had."""
    last_batch: RunEvent | None
    """The publication of the newest micro-batch."""

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings) -> "StreamJob":
        """The job as its tables have it; nothing is written.

        Raises:  UnsupportedSession, ConfigError, TableNotFound, ForeignTable, NameRefused.
        """
        _refuse_connect(spark)
        _refuse_settings_without_effect(settings)
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        if target.exists():
            check_table_owner(target, job=settings.job)
        runs = target.sibling("_runs")
        source_table = None if settings.source.is_landed else _open_delta_source(own, settings)
        events = JobEvents.open(runs, job=settings.job)
        found = events.load_newest(_EVENTS_AS_OFS)
        batches = [event for event in found if event.event == "published" and event.is_of_micro_batch]
        return cls(
            own,
            settings,
            target,
            describe_stream_source(settings, source_table),
            source_table,
            (settings.job, *list_former_jobs(runs, target)),
            batches[-1] if batches else None,
        )


def describe_stream_source(settings: Settings, table: Table | None) -> StreamSource:
    """What Structured Streaming is told to read."""
    source, stream = settings.source, settings.stream
    if table is None:
        return StreamSource(source.format, source.table, None, source.reader_options, source.schema)
    told: Mapping[str, object] = {
        "maxFilesPerTrigger": stream.max_files_per_trigger,
        "maxBytesPerTrigger": stream.max_bytes_per_trigger,
        "skipChangeCommits": "true" if stream.on_update == "ignore" else None,
        "readChangeFeed": "true" if stream.on_update == "changes" else None,
    }
    options = {name: str(value).replace(" ", "") for name, value in told.items() if value is not None}
    return StreamSource(source.format, source.table, table.ref, options)


def _refuse_connect(spark: SparkSession) -> None:
    if is_connect_session(spark):
        raise UnsupportedSession(
            "a stream in a session of Spark Connect: its micro-batches would run in the server, without this process",
            "a classic session",
            "start it with spark-submit, or as a job of a classic cluster; `score` runs over Connect",
        )


def _refuse_settings_without_effect(settings: Settings) -> None:
    source, stream = settings.source, settings.stream
    if not source.is_landed and source.version != "latest":
        raise ConfigError(
            f"source.version: {source.version} for a stream, which reads what comes",
            "source.version: latest",
            "leave it out; stream.starting_version says where a new stream begins",
        )
    if source.reads_changes:
        raise ConfigError(
            "source.read: changes for a stream, which keeps by itself how far it came",
            "source.read: all",
            "leave it out; stream.on_update: changes scores updated rows, too",
        )
    if source.features:
        raise ConfigError(
            "source.features for a stream, whose micro-batches are scored with the columns of the source alone",
            "a stream without source.features",
            "join the features upstream, or score by `score`, which joins them as of each row's time",
        )
    if settings.scoring.engine != "spark":
        raise ConfigError(
            f"scoring.engine: {settings.scoring.engine} for a stream, whose micro-batches would each wait for workers",
            "scoring.engine: spark",
            "leave it out, or score by `score`",
        )
    named = [
        name
        for name, is_set in {
            "stream.max_files_per_trigger": stream.max_files_per_trigger is not None,
            "stream.max_bytes_per_trigger": stream.max_bytes_per_trigger is not None,
            "stream.starting_version": stream.starting_version is not None,
            "stream.on_update": stream.on_update != "fail",
        }.items()
        if is_set
    ]
    if source.is_landed and named:
        raise ConfigError(
            f"{', '.join(named)} for a source of the format {source.format}",
            "a Delta table, whose versions and files they are about",
            "use the options of the source: source.options (of Kafka maxOffsetsPerTrigger, startingOffsets)",
        )


def _open_delta_source(spark: SparkSession, settings: Settings) -> Table:
    table = Table.from_name(spark, settings.source.table, home=settings.home_uri)
    if not table.exists():
        raise TableNotFound(
            f"no Delta table {table.path or table.name}",
            "the table that is scored",
            "check source.table; a plain name means a table under the home folder",
        )
    if settings.stream.on_update == "changes" and table.properties.get(_FEED_PROPERTY, "false").lower() != "true":
        raise ConfigError(
            f"{table.name} has no change data feed, which stream.on_update: changes reads",
            f"{_FEED_PROPERTY} = true",
            f"ALTER TABLE {table.sql_name} SET TBLPROPERTIES ('{_FEED_PROPERTY}' = 'true'), and begin with"
            " --stream.starting_version at that version; or stream.on_update: ignore",
        )
    return table
