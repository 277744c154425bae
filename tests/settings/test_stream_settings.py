"""Settings of a stream."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.records import MICRO_BATCH_FORMAT, MICRO_BATCH_TEXT_FORMAT
from sparkscore.settings import Settings
from sparkscore.settings.stream_settings import StreamSettings

BASE: dict[str, Any] = {
    "job": "j",
    "home": "/home",
    "source": {"table": "flights", "keys": ["id"]},
    "model": {"uri": "models:/m@champion"},
    "output": {"table": "p"},
}


@pytest.mark.parametrize(
    ("trigger", "interval", "period"),
    [
        ("availableNow", None, None),
        ("10 seconds", timedelta(seconds=10), 100),
        ("1 minute", timedelta(minutes=1), 100),
        ("500 milliseconds", timedelta(milliseconds=500), 100),
    ],
)
def test_a_trigger_is_available_now_or_an_interval(
    trigger: str, interval: timedelta | None, period: int | None
) -> None:
    settings = StreamSettings(trigger=trigger)
    assert (settings.interval, settings.monitored_period) == (interval, period)


@pytest.mark.parametrize("wrong", [{"trigger": "hourly"}, {"trigger": "10"}, {"max_bytes_per_trigger": "much"}])
def test_what_spark_would_not_understand_is_refused_before_it_starts(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StreamSettings(**wrong)


def test_a_stream_changes_no_scoring_digest_and_its_batches_have_one_of_their_own() -> None:
    plain = Settings(**BASE)
    streamed = Settings(**BASE, stream={"trigger": "10 seconds", "on_update": "ignore"})
    assert streamed.scoring_digest() == plain.scoring_digest()
    batches = streamed.of_micro_batches()
    assert (batches.source.format, batches.source.is_landed) == (MICRO_BATCH_FORMAT, True)
    assert batches.of_micro_batches() == batches
    assert batches.scoring_digest() == plain.of_micro_batches().scoring_digest() != plain.scoring_digest()
    kafka = Settings(**{**BASE, "source": {**BASE["source"], "format": "kafka", "schema": "id bigint"}})
    assert kafka.of_micro_batches().source.format == MICRO_BATCH_TEXT_FORMAT


def test_a_checkpoint_lies_under_the_home_of_the_job() -> None:
    assert Settings(**BASE).checkpoint_uri == "/home/checkpoints/j"
    assert Settings(**BASE, stream={"checkpoint": "/elsewhere"}).checkpoint_uri == "/elsewhere"
