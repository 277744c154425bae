"""Limits on requests and tokens per minute, shared by the processes of one executor without a service. Runs on
executors.

Each limit is one number in a small file: the moment at which the next amount may start. Whoever takes an amount moves
it on by the time that the amount is worth, under a lock that is held for microseconds, and sleeps until its own turn.
Nothing is saved up: in any minute one executor starts at most its share of the limit and one request more.
"""

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_MOMENT = struct.Struct("=d")
_MINUTE_S = 60.0


class TurnKeeper(Protocol):
    """Knows when the next amount may start."""

    def take_turn(self, now: float, seconds: float) -> float:
        """The moment of this turn, which lasts so many seconds; the next one is after it. Negative seconds give back
        what was not needed."""


@dataclass(slots=True)
class ProcessTurns:
    """Turns of this process alone."""

    next_moment: float = 0.0

    def take_turn(self, now: float, seconds: float) -> float:
        """As `TurnKeeper` has it."""
        turn = max(now, self.next_moment)
        self.next_moment = (turn if seconds >= 0 else self.next_moment) + seconds
        return turn


@dataclass(frozen=True, slots=True)
class FileTurns:
    """Turns of all processes that name the same file. The clock is that of the machine since it was started."""

    file: Path

    def take_turn(self, now: float, seconds: float) -> float:
        """As `TurnKeeper` has it."""
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = os.pread(descriptor, _MOMENT.size, 0)
            after = _MOMENT.unpack(content)[0] if len(content) == _MOMENT.size else 0.0
            turn = max(now, after)
            os.pwrite(descriptor, _MOMENT.pack((turn if seconds >= 0 else after) + seconds), 0)
            return turn
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class MinuteLimit:
    """So much per minute."""

    per_minute: float
    turns: TurnKeeper
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    waited_s: float = 0.0

    async def take(self, amount: float) -> None:
        """Wait until so much may start. More than a minute's worth waits its turn as anything else does."""
        now = self.clock()
        wait = self.turns.take_turn(now, amount * _MINUTE_S / self.per_minute) - now
        if wait > 0:
            self.waited_s += wait
            await self.sleep(wait)

    def settle(self, amount: float) -> None:
        """What was taken is so much more than it was thought to be; less where it is negative."""
        if amount:
            self.turns.take_turn(self.clock(), amount * _MINUTE_S / self.per_minute)
