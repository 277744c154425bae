"""Many waits at once, for models whose `predict` is `async def`: requests to a server, files of a remote storage."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def gather_bounded(
    function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], limit: int
) -> list[Result]:
    """What an asynchronous function makes of the items, in their order; at most `limit` of its calls wait at once.

    Items are taken as there is room for them: a long iterator is never held whole.

    Raises:  what the first call that fails raises, once all other calls have ended: they are cancelled. ValueError for
             a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}: at least one call must be allowed")
    results: dict[int, Result] = {}
    remaining = enumerate(items)

    async def call_one_after_another() -> None:
        for place, item in remaining:
            results[place] = await function(item)

    callers = [asyncio.ensure_future(call_one_after_another()) for _ in range(limit)]
    try:
        await asyncio.gather(*callers)
    except BaseException:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        raise
    return [results[place] for place in range(len(results))]
