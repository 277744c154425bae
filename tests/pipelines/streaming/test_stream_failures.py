"""What ends a stream inside of Spark is told in the suite's words."""

from typing import Any

import pytest

from sparkscore.errors import ConfigError, SparkscoreError, VersionGone
from sparkscore.ingest.stream_source import StreamSource
from sparkscore.pipelines.streaming.stream_failures import translate_stream_failure
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.settings import Settings
from tests.settings.test_stream_settings import BASE

NOTHING: Any = None
JOB = StreamJob(NOTHING, Settings(**BASE), NOTHING, StreamSource("delta", "flights"), None, ("j",), None)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (
            "[DELTA_SOURCE_TABLE_IGNORE_CHANGES] Detected a data update in the source table at version 5.",
            ConfigError,
            "version 5 of flights updates",
        ),
        ("[DELTA_SOURCE_IGNORE_DELETE] Detected deleted data from version 7", ConfigError, "version 7 of flights"),
        ("[DELTA_MISSING_FILES_UNEXPECTED_VERSION] from version 3 to 9", VersionGone, "are gone: [DELTA_MISSING"),
        ("[DELTA_DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] x", ConfigError, "was made anew"),
        ("[CONCURRENT_STREAM_LOG_UPDATE] Concurrent update to the log.", ConfigError, "another stream works"),
        ("[DELTA_SCHEMA_CHANGED_WITH_VERSION] Detected schema change", ConfigError, "the columns of flights changed"),
    ],
)
def test_each_condition_says_what_to_do(text: str, kind: type[SparkscoreError], words: str) -> None:
    known = translate_stream_failure(JOB, RuntimeError(text))
    assert type(known) is kind
    assert words in known.found
    assert known.do
