"""How long a thread waited for a core, as Linux tells it."""

from pathlib import Path

import pytest

from sparkscore.scoring import queue_time
from sparkscore.scoring.queue_time import read_queued_s


@pytest.mark.parametrize(("text", "seconds"), [("81 2500000000 3\n", 2.5), ("81\n", 0.0), ("a b c\n", 0.0)])
def test_seconds_in_the_queue_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    file = tmp_path / "schedstat"
    file.write_text(text)
    monkeypatch.setattr(queue_time, "_SCHEDULE_FILE", str(file))
    assert read_queued_s() == seconds


def test_where_the_system_does_not_tell_it_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_queued_s() >= 0
    monkeypatch.setattr(queue_time, "_SCHEDULE_FILE", "/nowhere")
    assert read_queued_s() == 0
