"""How many requests the processes of one executor have open at once, without a service. Runs on executors.

A slot is one byte of a file; whoever has it locked has the slot. The system frees the slots of a process that ends.
"""

import asyncio
import fcntl
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_RETRY_S = 0.02


class SharedSlots:
    """A number of slots, for all processes that name the same file. A process has one object for a file, no more."""

    def __init__(self, file: Path, count: int) -> None:
        self._count, self._taken = count, set[int]()
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """A block that has a slot."""
        while (slot := self._take_slot()) is None:
            await asyncio.sleep(random.uniform(0.5, 1.5) * _RETRY_S)  # noqa: S311  to spread, not to hide
        try:
            yield
        finally:
            self._taken.discard(slot)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, slot)

    def _take_slot(self) -> int | None:
        for slot in range(self._count):
            if slot in self._taken:
                continue
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:  # another process has it
                continue
            self._taken.add(slot)
            return slot
        return None

    def close(self) -> None:
        """Free all of them."""
        os.close(self._descriptor)


class ProcessSlots:
    """Slots of this process alone."""

    def __init__(self, count: int) -> None:
        self._slots = asyncio.Semaphore(count)

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """As `SharedSlots` has it."""
        async with self._slots:
            yield
