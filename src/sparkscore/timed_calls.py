"""Calls that end: what another side answers may never come, or drop by drop."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

CallAnswer = TypeVar("CallAnswer")


class CallTooLong(Exception):
    """A call has not ended in the time that it was given."""


def call_in_time(request: Callable[[], CallAnswer], *, seconds: float, name: str) -> CallAnswer:
    """What the request returns, within a time that no other side can prolong: a time-out of a socket is for each read.

    A request that takes longer is left to its daemon thread, which has this name.

    Raises:  CallTooLong when the time is over; else what the request raises.
    """
    answer: Future[CallAnswer] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            answer.set_result(context.run(request))
        except Exception as error:  # noqa: BLE001  raised again by whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    if not wait([answer], timeout=seconds).done:
        raise CallTooLong(f"no end within {seconds:g} s")
    return answer.result()
