"""Micro-batches go from Spark's thread to the one that publishes, one at a time."""

import threading
from typing import Any

import pytest

from sparkscore.pipelines.streaming.batch_queue import BatchNotTaken, BatchQueue

ROWS: Any = object()


def offer_in_thread(batches: BatchQueue, number: int, seen: list[object]) -> threading.Thread:
    def offer() -> None:
        try:
            batches.offer(ROWS, number)
            seen.append(number)
        except BatchNotTaken as refused:
            seen.append(refused)

    thread = threading.Thread(target=offer)
    thread.start()
    return thread


def test_spark_goes_on_only_when_a_micro_batch_is_published() -> None:
    batches, seen = BatchQueue(), list[object]()
    assert batches.take(seconds=0.01) is None
    thread = offer_in_thread(batches, 3, seen)
    batch = batches.take(seconds=60)
    assert batch is not None
    assert (batch.number, batch.rows, seen) == (3, ROWS, [])
    batch.settle(is_published=True)
    thread.join(60)
    assert seen == [3]


def test_one_that_fails_ends_the_query_and_so_does_one_that_nobody_takes_any_more() -> None:
    batches, seen = BatchQueue(), list[object]()
    failing = offer_in_thread(batches, 0, seen)
    batch = batches.take(seconds=60)
    assert batch is not None
    batch.settle(is_published=False)
    failing.join(60)
    waiting = offer_in_thread(batches, 1, seen)
    while len(seen) < 2 and waiting.is_alive():
        batches.close()
    waiting.join(60)
    with pytest.raises(BatchNotTaken):
        batches.offer(ROWS, 2)
    assert [type(one) for one in seen] == [BatchNotTaken, BatchNotTaken]
