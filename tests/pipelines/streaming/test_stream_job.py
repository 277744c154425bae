"""What Structured Streaming is told to read, by the settings."""

from typing import Any

import pytest

from sparkscore.pipelines.streaming.stream_job import describe_stream_source
from sparkscore.records import TableRef
from sparkscore.settings import Settings
from sparkscore.store.table import Table
from tests.settings.test_stream_settings import BASE

FLIGHTS = Table(None, TableRef("flights", "/home/tables/flights"))


@pytest.mark.parametrize(
    ("stream", "options"),
    [
        ({}, {}),
        ({"max_files_per_trigger": 7}, {"maxFilesPerTrigger": "7"}),
        ({"max_bytes_per_trigger": "1 g"}, {"maxBytesPerTrigger": "1g"}),
        ({"max_bytes_per_trigger": 4096}, {"maxBytesPerTrigger": "4096"}),
        ({"on_update": "ignore"}, {"skipChangeCommits": "true"}),
        ({"on_update": "changes"}, {"readChangeFeed": "true"}),
    ],
)
def test_limits_and_updates_are_options_of_deltas_source(stream: dict[str, Any], options: dict[str, str]) -> None:
    source = describe_stream_source(Settings(**BASE, stream=stream), FLIGHTS)
    assert (source.is_delta, source.options) == (True, options)


def test_other_sources_have_the_options_of_the_config_and_a_topic_any_name() -> None:
    topic = {**BASE["source"], "table": "flights.v1-eu", "format": "kafka", "schema": "id bigint"}
    topic["options"] = {"kafka.bootstrap.servers": "broker:9092", "maxOffsetsPerTrigger": 100}
    source = describe_stream_source(Settings(**{**BASE, "source": topic}), None)
    assert (source.is_kafka, source.is_delta, source.name) == (True, False, "flights.v1-eu")
    assert source.options == {"kafka.bootstrap.servers": "broker:9092", "maxOffsetsPerTrigger": "100"}
