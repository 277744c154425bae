"""What ends a stream inside of Spark, in words of the suite: what came from upstream, and what to do about it."""

import re

from sparkscore.errors import ConfigError, SparkscoreError, VersionGone
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.error_translation import error_from_text, spark_end_error, to_sparkscore_error

_VERSION = re.compile(r"version (\d+)")
_CHANGED = ("DELTA_SOURCE_TABLE_IGNORE_CHANGES", "DELTA_SOURCE_IGNORE_DELETE")
_LOST = (
    "DELTA_MISSING_FILES_UNEXPECTED_VERSION",
    "DELTA_LOG_FILE_NOT_FOUND_FOR_STREAMING_SOURCE",
    "DELTA_VERSIONS_NOT_CONTIGUOUS",
    "DELTA_CHANGE_TABLE_FEED_DISABLED",
    "DELTA_MISSING_CHANGE_DATA",
    "KAFKA_DATA_LOSS",
)
_OTHER_TABLE = ("DELTA_DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE", "differentDeltaTableReadByStreamingSource")
_OTHER_SCHEMA = ("DELTA_SCHEMA_CHANGED", "DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS", "DELTA_STREAMING_")
_AT_ONCE = ("CONCURRENT_STREAM_LOG_UPDATE", "Multiple streaming queries are concurrently using")


def translate_stream_failure(job: StreamJob, error: BaseException) -> SparkscoreError | None:
    """The suite's own error for what has ended the query; None if it is unknown."""
    text = str(error)
    known = _explain_upstream(job, text)
    if known is not None or not isinstance(error, Exception):
        return known
    return (
        spark_end_error(job.spark, "the stream was running", error)
        or to_sparkscore_error(error, f"reading {job.source.name} as a stream")
        or error_from_text(text, f"reading {job.source.name} as a stream")
    )


def _explain_upstream(job: StreamJob, text: str) -> SparkscoreError | None:
    explanations = {
        _CHANGED: _changed_rows_error,
        _OTHER_TABLE: _other_table_error,
        _LOST: _lost_rows_error,
        _AT_ONCE: _second_stream_error,
        _OTHER_SCHEMA: _other_columns_error,
    }
    found = (explain for conditions, explain in explanations.items() if any(one in text for one in conditions))
    explain = next(found, None)
    return None if explain is None else explain(job, text)


def _changed_rows_error(job: StreamJob, text: str) -> ConfigError:
    found = _VERSION.search(text)
    return ConfigError(
        f"{f'version {found[1]}' if found else 'a version'} of {job.source.name} updates, deletes or overwrites rows",
        "versions that only add rows, with stream.on_update: fail",
        "stream.on_update: ignore skips such versions, changes scores the updated rows (a change data feed says"
        " which); for an overwrite, begin anew with --new-checkpoint",
    )


def _other_table_error(job: StreamJob, _: str) -> ConfigError:
    return ConfigError(f"{job.source.name} was made anew", "the table that the checkpoint counts", "--new-checkpoint")


def _lost_rows_error(job: StreamJob, text: str) -> VersionGone:
    return VersionGone(
        f"rows of {job.source.name} that the stream needs are gone: {_first_line(text)}",
        "a log, a change data feed or a topic that is kept longer than the stream stands still",
        "restore them; or go on without them: --new-checkpoint, with --stream.starting_version",
    )


def _second_stream_error(job: StreamJob, _: str) -> ConfigError:
    return ConfigError(
        f"another stream works with the checkpoint {job.settings.checkpoint_uri}",
        "one stream for one checkpoint",
        "end the other one first",
    )


def _other_columns_error(job: StreamJob, text: str) -> ConfigError:
    return ConfigError(
        f"the columns of {job.source.name} changed: {_first_line(text)}",
        "the columns with which the stream began",
        "start it again: it goes on with the new ones",
    )


def _first_line(text: str) -> str:
    condition = text.find("[DELTA_")
    return shorten_redacted(text[max(condition, 0) :].partition("\n")[0], 300)
