"""Counts that come back with the rows of a job."""

import json
import pickle

import pytest

from sparkscore.scoring.travelling_counts import TravellingSums, counts_array, mark_last


def test_the_last_item_is_known_as_such_only_when_there_is_no_other() -> None:
    asked: list[int] = []

    def items() -> "object":
        for number in range(3):
            asked.append(number)
            yield number

    marked = mark_last(iter(items()))  # type: ignore[call-overload]
    assert next(marked) == (0, False)
    assert asked == [0, 1]
    assert list(marked) == [(1, False), (2, True)]
    assert list(mark_last(iter([]))) == []


def test_a_task_begins_with_nothing_and_tells_what_it_has_counted_once() -> None:
    sums = TravellingSums()
    sums.add({"rows": 5})
    of_task = pickle.loads(pickle.dumps(sums))
    of_task.add({"rows": 2, "gpu_use": 0.5})
    of_task.add({"rows": 1, "gpu_use": 0.3})
    text = of_task.take_text()
    assert json.loads(text) == {"rows": 3, "gpu_use": 0.5}
    assert json.loads(of_task.take_text()) == {}
    sums.add(json.loads(text))
    assert sums.value == {"rows": 8, "gpu_use": 0.5}


@pytest.mark.parametrize("text", [None, "{}"])
def test_counts_stand_in_the_first_row_of_a_batch(text: str | None) -> None:
    assert counts_array(text, 3).to_pylist() == [text, None, None]
