"""Results that another thread waits for come as they are there, and errors at the end."""

from collections.abc import Iterator
from threading import Event

import pytest

from sparkscore.engines.result_thread import ResultThread


def test_all_results_come_in_their_order() -> None:
    thread = ResultThread(lambda: iter([1, 2, 3]), name="test")
    assert [one for some in thread.ticks() for one in some] == [1, 2, 3]


def test_an_error_comes_after_what_was_there_before_it() -> None:
    def iterate() -> Iterator[int]:
        yield 1
        raise ValueError("of the iterator")

    ticks, taken = ResultThread(iterate, name="test").ticks(), list[int]()

    def take_all() -> None:
        for some in ticks:
            taken.extend(some)

    with pytest.raises(ValueError, match="of the iterator"):
        take_all()
    assert taken == [1]


def test_stopping_it_interrupts_what_it_waits_for_and_takes_no_more() -> None:
    goes_on, asked = Event(), []

    def iterate() -> Iterator[int]:
        for number in range(9):
            asked.append(number)
            yield number
            goes_on.wait(60)

    thread = ResultThread(iterate, name="test")
    next(thread.ticks())
    thread.stop(goes_on.set, seconds=60)
    assert asked in ([0], [0, 1])
