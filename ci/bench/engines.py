"""The contenders' processes: started when they are needed, kept while there is memory, told one turn at a time."""

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.processes import Usage, watched

READY_SECONDS = 300
TURN_SECONDS = 1800
END_SECONDS = 20
NEED_GIB = 8.0
"""Memory that has to be free before a turn; engines that wait are ended until it is."""


class ContenderError(Exception):
    """A contender failed, or its output was wrong. The message is for the table of results."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How an engine's process is started."""

    module: str
    python: str
    environment: Mapping[str, str]
    log: Path


class Engine:
    """One long-lived process. Lines of JSON go to its stdin and come from its stdout; stderr goes to a log."""

    def __init__(self, kind: Kind) -> None:
        self.warmed: set[str] = set()
        self.used = 0
        self._log = kind.log
        with kind.log.open("a") as log:
            self._process = subprocess.Popen(
                [kind.python, "-m", kind.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **kind.environment},
                start_new_session=True,  # Ctrl-C ends it through us, not in the middle of a line
            )
        self.hello = self._answer(READY_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether it can be told something."""
        return self._process.poll() is None

    def go(self, turn: Mapping[str, Any]) -> dict[str, Any]:
        """What the contender answers to a turn.

        Raises:  ContenderError.
        """
        self._say(turn)
        return self._answer(TURN_SECONDS)

    def watched_go(self, turn: Mapping[str, Any]) -> tuple[dict[str, Any], Usage]:
        """The same, with what it took."""
        with watched(self._process.pid) as usage:
            answer = self.go(turn)
        return answer, usage

    def end(self) -> None:
        """The process ends, by itself where it can."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101  it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ContenderError(f"its process has ended; see {self._log}") from error

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  it was opened as a pipe
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            raise ContenderError(f"its process ended without an answer within {seconds:.0f} s; see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer


class Engines:
    """All of them. Leaving the block ends them."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds, self._turns = kinds, 0
        self._running: dict[str, Engine] = {}
        self.hellos: dict[str, Any] = {}
        """What each said of itself when it started."""

    def __enter__(self) -> "Engines":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self._end(name)

    def get(self, name: str) -> Engine:
        """The engine, running, with memory left for its turn."""
        if name in self._running and not self._running[name].alive:
            self._end(name)
        self._make_room(name)
        if name not in self._running:
            self._running[name] = Engine(self._kinds[name])
            self.hellos[name] = self._running[name].hello
        self._turns += 1
        self._running[name].used = self._turns
        return self._running[name]

    def _make_room(self, keep: str) -> None:
        while machine.available_gib() < NEED_GIB:
            waiting = sorted((engine.used, name) for name, engine in self._running.items() if name != keep)
            if not waiting:
                return
            machine.say(f"    {waiting[0][1]} ends: {machine.available_gib():.1f} GiB are free")
            self._end(waiting[0][1])

    def _end(self, name: str) -> None:
        self._running.pop(name).end()
