"""Processes of one executor share what they may have open, and how fast they may ask, without a service."""

import asyncio
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from sparkscore.workloads.endpoints.rate_limits import FileTurns, MinuteLimit, ProcessTurns
from sparkscore.workloads.endpoints.shared_slots import SharedSlots

TAKE_TURNS = """
import sys
from pathlib import Path
from sparkscore.workloads.endpoints.rate_limits import FileTurns
turns = FileTurns(Path(sys.argv[1]))
print(*[turns.take_turn(100.0, 2.0) for _ in range(50)])
"""
HOLD_SLOT = """
import asyncio, sys
from pathlib import Path
from sparkscore.workloads.endpoints.shared_slots import SharedSlots
async def main():
    async with SharedSlots(Path(sys.argv[1]), 2).hold_slot():
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(main())
"""


def test_turns_of_several_processes_never_overlap(tmp_path: Path) -> None:
    file = tmp_path / "turns"
    children = [
        subprocess.Popen([sys.executable, "-c", TAKE_TURNS, str(file)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    turns = sorted(float(turn) for child in children for turn in child.communicate(timeout=60)[0].split())
    assert len(turns) == 150
    assert turns[0] == 100.0
    assert all(later - earlier >= 2.0 for earlier, later in pairwise(turns))


def test_what_was_not_needed_is_given_back(tmp_path: Path) -> None:
    for turns in (ProcessTurns(), FileTurns(tmp_path / "turns")):
        turns.take_turn(100.0, 60.0)
        turns.take_turn(100.0, -50.0)
        assert turns.take_turn(100.0, 1.0) == 110.0


def test_in_no_minute_more_is_begun_than_the_limit_and_one(tmp_path: Path) -> None:
    moment, begun = 0.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal moment
        moment += seconds

    async def main() -> None:
        limit = MinuteLimit(30, FileTurns(tmp_path / "turns"), lambda: moment, sleep)
        for _ in range(200):
            await limit.take(1)
            begun.append(moment)

    asyncio.run(main())
    assert max(sum(start <= other < start + 60 for other in begun) for start in begun) <= 31
    assert begun[-1] == 199 * 2


def test_a_slot_is_free_again_when_the_process_that_has_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "slots"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_SLOT, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    slots = SharedSlots(file, 2)

    async def main() -> None:
        async with slots.hold_slot():
            waiting = asyncio.ensure_future(hold())
            await asyncio.sleep(0.2)
            assert not waiting.done()  # one is the child's, one is ours
            child.kill()
            await asyncio.wait_for(waiting, 30)

    async def hold() -> None:
        async with slots.hold_slot():
            pass

    asyncio.run(main())
    child.communicate()
    slots.close()
