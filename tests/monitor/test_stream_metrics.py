"""What Prometheus is told of a stream."""

from datetime import UTC, datetime
from pathlib import Path

from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.monitor.stream_metrics import stream_metrics_text, write_stream_metrics
from sparkscore.records import StreamReport
from tests.monitor.test_metrics import GOOD

AT = datetime(2014, 1, 1, tzinfo=UTC)
STREAM = StreamReport(
    "flight-delay",
    "finished",
    batches=7,
    rows_scored=7_000,
    last_as_of="2013-12-31T00:00:00Z",
    lag_behind=2,
    lag_seconds=31.5,
    rows_per_second=2_500,
)


def test_lag_and_speed_are_told_and_what_nobody_knows_is_not() -> None:
    text = stream_metrics_text(STREAM, at=AT, batch_seconds=0.4, is_running=True)
    for line in (
        'sparkscore_stream_lag_seconds{scoring_job="flight-delay"} 31.5',
        'sparkscore_stream_lag_versions{scoring_job="flight-delay"} 2.0',
        'sparkscore_stream_rows_per_second{scoring_job="flight-delay"} 2500.0',
        'sparkscore_stream_running{scoring_job="flight-delay"} 1.0',
        'sparkscore_stream_batch_duration_seconds{scoring_job="flight-delay"} 0.4',
        'sparkscore_stream_last_as_of_timestamp_seconds{scoring_job="flight-delay"} 1.3884480e+09',
    ):
        assert line.split("}")[0] in text
    idle = stream_metrics_text(StreamReport("flight-delay", "finished"), at=AT, batch_seconds=None, is_running=False)
    assert "lag" not in idle
    assert 'sparkscore_stream_running{scoring_job="flight-delay"} 0.0' in idle


def test_a_stream_has_a_file_beside_that_of_the_jobs_last_run(tmp_path: Path) -> None:
    run = write_metrics(GOOD, tmp_path, at=AT)
    told = write_stream_metrics(STREAM, tmp_path, at=AT, batch_seconds=None, is_running=True)
    assert {run, told} == set(tmp_path.glob("*.prom"))
    assert "stream" not in run.read_text()
