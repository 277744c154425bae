"""A model process that has no memory for a batch, or that the system ends for want of it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import BatchOutOfMemory, PredictError
from sparkscore.model.host import memory_kills
from sparkscore.model.host.memory_kills import count_memory_kills
from tests.model.host.node import ROW, Node

THREE_ROWS = [pa.array([1.0, 2.0, 3.0])]


def test_what_the_model_has_no_memory_for_is_told_and_the_process_goes_on(node: Node) -> None:
    def answer(frame: Any) -> Any:
        if len(frame) > 2:
            raise MemoryError
        return frame["x"] * 2

    score = node.host(node.put(answer))
    with pytest.raises(BatchOutOfMemory, match="on a batch of 3 rows: MemoryError") as caught:
        score(THREE_ROWS)
    assert caught.value.raised == "MemoryError"
    assert score(ROW).predictions.to_pylist() == [6.0]
    assert len(node.loads) == 1


@pytest.mark.parametrize("counts", [True, False])
def test_a_process_that_the_system_ends_for_want_of_memory_is_told_from_one_that_crashes(
    node: Node, monkeypatch: pytest.MonkeyPatch, counts: bool
) -> None:
    events = node.folder / "memory.events"
    events.write_text("low 0\noom 4\noom_kill 7\n")
    monkeypatch.setattr(memory_kills, "_COUNT_FILES", (str(events), "/nowhere"))

    def answer(frame: Any) -> Any:
        import os
        import signal

        if len(frame) > 2:
            if counts:
                events.write_text("low 0\noom 4\noom_kill 8\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return frame["x"] * 2

    score = node.host(node.put(answer))
    with pytest.raises(BatchOutOfMemory if counts else PredictError, match="on a batch of 3 rows") as caught:
        score(THREE_ROWS)
    assert isinstance(caught.value, BatchOutOfMemory) == counts
    assert score(ROW).predictions.to_pylist() == [6.0]
    assert len(node.loads) == (2 if counts else 4)


def test_the_kernels_count_is_read_and_where_there_is_none_it_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_memory_kills() >= 0
    (tmp_path / "odd").write_text("oom_kill many\n")
    monkeypatch.setattr(memory_kills, "_COUNT_FILES", (str(tmp_path / "odd"), str(tmp_path / "gone")))
    assert count_memory_kills() == 0
