"""Runners as child processes: started, told what to do, waited for, and ended by their own numbers."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sparkscore.model.host.executor_process import Process, find_process
from tests.faults.points import Order, eventually
from tests.faults.runner import order_line
from tests.warm_daemon import MORE

ROOT = Path(__file__).resolve().parents[2]
_START_S = _RUN_S = 300
"""A bound, not a pace: machines that test other things meanwhile take ten times as long."""


class Child:
    """One runner. Whoever asks it something waits for at most so long, and then it is ended."""

    def __init__(self, log: Path, *, master: str = "local[2,4]", conf: Mapping[str, str] | None = None) -> None:
        words = [f"--conf {name}={value}" for name, value in (conf or {}).items()]
        environ = {name: value for name, value in os.environ.items() if name != MORE}  # its models need no more
        environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*words, os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell")])
        self.log = log
        with log.open("w") as out:
            command = [sys.executable, "-m", "tests.faults.runner", master]
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdin=pipe,
                stdout=pipe,
                stderr=out,
                text=True,
                start_new_session=True,  # what it starts is told by its session, also after it has ended
            )
        self._jvm: Process | None = None
        self._gave_up = False

    @property
    def jvm(self) -> Process:
        """Its JVM; waits until it is there."""
        if self._jvm is None:
            told = self._line(_START_S)
            assert told is not None, self.log.read_text()[-3000:]
            self._jvm = find_process(int(told["jvm"]))
        return self._jvm

    def begin(self, order: Order) -> None:
        """Hand an order over."""
        assert self.jvm.is_alive
        assert self.process.stdin is not None
        self.process.stdin.write(order_line(order) + "\n")
        self.process.stdin.flush()

    def answer(self, *, within_s: float = _RUN_S) -> Mapping[str, Any] | None:
        """What came of the order; None where the process has ended instead."""
        return self._line(within_s)

    def does(self, order: Order) -> Mapping[str, Any]:
        """The order done, and the process alive."""
        self.begin(order)
        found = self.answer()
        assert found is not None, self.log.read_text()[-3000:]
        return found

    def dies(self, order: Order) -> int:
        """The exit code, after an order that the process does not survive; its JVM and its workers are gone, too."""
        self.begin(order)
        found = self.answer()
        assert found is None, found
        code = self.process.wait(_RUN_S)
        assert eventually(lambda: not self._left(), every_s=0.01)  # a large process takes its time to die
        return code

    def end(self) -> None:
        """End it and its JVM, if they are still there."""
        if self._jvm is not None:
            self._jvm.kill()
        self.process.kill()  # a JVM that has not been told of yet ends with it: its stdin closes
        self.process.communicate()

    def _left(self) -> list[Process]:
        """What still runs of all that it has started."""
        left = list[Process]()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError):
                if os.getsid(int(folder.name)) == self.process.pid and (one := find_process(int(folder.name))).is_alive:
                    left.append(one)
        return left

    def _line(self, within_s: float) -> Mapping[str, Any] | None:
        assert self.process.stdout is not None
        late = threading.Timer(within_s, self._late)
        late.start()
        try:
            line = self.process.stdout.readline()
        finally:
            late.cancel()
        assert not self._gave_up, f"no answer within {within_s:.0f} s: {self.log.read_text()[-1000:]}"
        found: Mapping[str, Any] | None = json.loads(line) if line else None
        return found

    def _late(self) -> None:
        self._gave_up = True
        if self._jvm is not None:
            self._jvm.kill()
        self.process.kill()


class Crew:
    """Children for tests that kill them; `ahead` of them start while others work."""

    def __init__(self, folder: Path, *, ahead: int = 0) -> None:
        self._folder, self._started = folder, 0
        self._waiting: list[Child] = []
        self._ahead = ahead
        self._all: list[Child] = []

    def start_ahead(self) -> None:
        """Start as many as are to be ready."""
        while len(self._waiting) < self._ahead:
            self._start()

    def take(self) -> Child:
        """A child that lives; it is the caller's, who may give it back."""
        if not self._waiting:
            self._start()
        child = self._waiting.pop(0)
        self.start_ahead()
        return child

    def give_back(self, child: Child) -> None:
        """For the next one who takes."""
        self._waiting.insert(0, child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._all:
            child.end()

    def _start(self) -> None:
        self._started += 1
        child = Child(self._folder / f"child-{self._started}.log")
        self._all.append(child)
        self._waiting.append(child)
