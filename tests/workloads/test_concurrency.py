import asyncio
from collections.abc import Iterator

import pytest

from sparkscore.workloads.concurrency import gather_bounded


class Waits:
    """Calls that wait until as many of them as may are there; the rest follows."""

    def __init__(self) -> None:
        self.now, self.most, self.cancelled = 0, 0, 0

    async def __call__(self, number: int) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            if number == 13:
                raise KeyError(number)
            if number > 100:
                await asyncio.sleep(600)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1
        return number * 2


def test_results_come_in_the_order_of_the_items_and_no_more_calls_wait_than_may() -> None:
    waits = Waits()
    assert asyncio.run(gather_bounded(waits, range(10), 4)) == [number * 2 for number in range(10)]
    assert (waits.most, waits.now) == (4, 0)


def test_fewer_items_than_calls_and_none_at_all_are_fine() -> None:
    assert asyncio.run(gather_bounded(Waits(), [1], 8)) == [2]
    assert asyncio.run(gather_bounded(Waits(), [], 8)) == []


def test_the_first_error_ends_the_other_calls_and_takes_no_further_item() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in (101, 102, 13, 1, 2):
            taken.append(number)
            yield number

    waits = Waits()
    with pytest.raises(KeyError):
        asyncio.run(gather_bounded(waits, items(), 3))
    assert (waits.cancelled, waits.now, taken) == (2, 0, [101, 102, 13])


def test_cancelled_itself_it_cancels_its_calls() -> None:
    waits = Waits()

    async def cancel_soon() -> None:
        running = asyncio.ensure_future(gather_bounded(waits, [101, 102, 103], 2))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel_soon())
    assert (waits.cancelled, waits.now) == (2, 0)


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is 0"):
        asyncio.run(gather_bounded(Waits(), [1], 0))
