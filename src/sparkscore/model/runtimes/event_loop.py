"""The event loop on which models whose `predict` is `async def` run: one per process, in a thread that stays.

Clients of servers keep their connections on it from batch to batch. Runs on executors.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from sparkscore.model.runtimes.foreign_code import ForeignError

_MARGIN_SHARE, _MAX_MARGIN_S = 0.1, 1.0
"""The model is cancelled a little before its time is over: else whoever waits for it ends the process first."""

_loops: dict[int, asyncio.AbstractEventLoop] = {}
"""By the process: one that was forked has none of its parent's threads."""
_lock = threading.Lock()


class LateAnswerError(Exception):
    """A model's coroutine was cancelled, as its time was over."""


def is_awaitable(result: object) -> bool:
    """Whether a model's answer has to be waited for. Asked for each batch: `inspect.isawaitable` takes longer."""
    return hasattr(type(result), "__await__")


def wait_for_answer(answer: Awaitable[Any], seconds: float | None) -> Any:
    """What an awaitable returns; it runs on the process's event loop, beside those of other threads.

    `seconds`: for the answer; a little before they are over it is cancelled, and has the rest of them to clean up.
    None: as long as it takes.

    Raises:  LateAnswerError; what it raises, SystemExit and the like as ForeignError: they would end the loop.
    """
    ended = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_run_guarded(answer, ended), _get_event_loop())
    margin_s = 0.0 if seconds is None else min(_MARGIN_SHARE * seconds, _MAX_MARGIN_S)
    try:
        return future.result(None if seconds is None else seconds - margin_s)
    except TimeoutError:
        if future.cancel():
            ended.wait(margin_s / 2)
            raise LateAnswerError from None
        return future.result()  # done meanwhile; or the model's own error
    except BaseException:
        future.cancel()
        raise


async def _run_guarded(answer: Awaitable[Any], ended: threading.Event) -> Any:
    try:
        return await answer
    except (SystemExit, KeyboardInterrupt) as error:
        raise ForeignError(error) from error
    finally:
        ended.set()


def _get_event_loop() -> asyncio.AbstractEventLoop:
    with _lock:
        if os.getpid() not in _loops:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=_run_loop, args=(loop,), name="sparkscore-event-loop", daemon=True).start()
        return _loops[os.getpid()]


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        with suppress(SystemExit, KeyboardInterrupt):  # of a task that the model has started by itself
            loop.run_forever()
