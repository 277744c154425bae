"""One run of the soak: who writes, who is killed where, who publishes in the end, and whether it is right."""

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from deltalake import write_deltalake
from pyspark.sql import SparkSession

from tests.faults.checker import Expected, check
from tests.faults.children import Child, Crew
from tests.faults.models import Traps, watched_registry
from tests.faults.points import POINTS, Order, eventually
from tests.faults.scene import BATCH_ROWS, ROWS, plain
from tests.world import Registry, World, source_rows

_POINTS = [name for name in POINTS if name not in ("profiled", "expired")]
"""Those that a run of the arena comes to: it neither profiles nor maintains."""
_ALWAYS = (
    "pinned",
    "started",
    "scoring",
    "before stage",
    "chunk staged",
    "staged",
    "before publish",
    "in merge",
    "published",
)
"""Those that every run of the arena comes to: a table is made once, and no row is repaired."""
_TRIES = 5
_DONE = {"published", "already_published", "superseded"}


@dataclass(frozen=True)
class Plan:
    """What is done to a run: drawn from the seed alone."""

    number: int
    at: str
    """Where the first writer is killed; empty: nowhere."""
    second: str
    """A second writer at the same time: of the `same` as_of, of `another` one of the same date, or empty."""
    replaces: bool
    """It supersedes an as_of that is published."""
    transport: str
    version: int
    """Of the model."""
    batches: int
    """After which the model is held, for a kill while it scores."""
    after: int
    """The second writer begins when the model has been given so many batches, or the first writer is dead."""

    @property
    def as_of(self) -> str:
        """A day of its own; the day before for a replacement."""
        return str(date(2000, 1, 1) + timedelta(days=self.number - self.replaces))


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    plan: Plan
    killed: bool
    reruns: int
    """Further starts until the as_of was published, each undisturbed."""
    rows: int
    paid_twice: int
    """Rows that the model predicted beyond those that are published."""
    recovered_s: float | None
    """From the kill until it was published; None: nobody was killed."""
    answers: list[str] = field(default_factory=list)
    """Status of each process's run, in order of their ends."""

    @property
    def line(self) -> str:
        """For people."""
        plan, killed = self.plan, "killed" if self.killed else "alive"
        recovered = "" if self.recovered_s is None else f"{self.recovered_s:.1f} s"
        who = plan.transport + (f", second: {plan.second}" if plan.second else ", replaces" if plan.replaces else "")
        return f"{plan.as_of} {plan.at or '-':<15}{killed:<7}{recovered:>8}  {who}: {', '.join(self.answers)}"


def plans(seed: int, *, kill_always: bool = False) -> Iterator[Plan]:
    """What is done to run after run, without an end.

    Where each is to be killed, a second writer of the same as_of begins after that: it may publish before the first one
    comes to its point.
    """
    dice, number = random.Random(seed), 0
    while True:
        at = dice.choice(_ALWAYS if kill_always else _POINTS) if kill_always or dice.random() < 0.6 else ""
        second = dice.choice(["", "same", "another"])
        replaces = number > 0 and not second and dice.random() < 0.2
        transport = dice.choice(["scan", "scan", "arrow"])
        version, batches, after = dice.choice([1, 2]), dice.randrange(12), dice.randrange(20)
        after = sys.maxsize if kill_always and second == "same" else after
        yield Plan(number, at, second, replaces, transport, version, batches, after)
        number += 1


@dataclass
class Arena:
    """A home folder with a source, one prediction table, and a crew that works on it."""

    folder: Path
    registry: Registry
    traps: Traps
    crew: Crew
    published: dict[str, Expected] = field(default_factory=dict)

    @classmethod
    def made(cls, folder: Path, crew: Crew) -> "Arena":
        """A new one; the first children start meanwhile."""
        crew.start_ahead()
        registry, traps = watched_registry(folder / "registry")
        write_deltalake(str(folder / "home" / "tables" / "flights"), source_rows(ROWS))
        return cls(folder, registry, traps, crew)

    def played(self, plan: Plan) -> Outcome:
        """The plan carried out, and all tables checked.

        Raises:  AssertionError.
        """
        self.registry.alias(plan.version)
        before = self.traps.paid()
        if plan.at == "scoring":
            self.traps.set("hold", after=plan.batches)
        answers, killed_at = self._written(plan)
        asked = [plan.as_of, f"{plan.as_of}T12:00:00"] if plan.second == "another" else [plan.as_of]
        reruns = [self._published(plan, as_of, answers) for as_of in asked]
        recovered = None if killed_at is None else time.monotonic() - killed_at
        self.published |= {as_of: Expected(source_rows(ROWS), as_of, plan.version) for as_of in asked}
        check(self.folder / "home", self.registry, list(self.published.values()))
        twice = self.traps.paid() - before - ROWS * len(asked)
        return Outcome(
            plan,
            killed_at is not None,
            sum(reruns),
            ROWS * len(asked),
            twice,
            recovered,
            [_said(one) for one in answers],
        )

    def _written(self, plan: Plan) -> tuple[list[Mapping[str, Any] | None], float | None]:
        """What the first writer, perhaps killed, and the second one came to; when the first was seen dead."""
        first, given = self.crew.take(), self.traps.given()
        first.begin(self._order(plan, plan.as_of, at=plan.at))
        second = self._second(plan, lambda: self.traps.given() - given >= plan.after or not first.jvm.is_alive)
        answers = [first.answer()]
        killed_at = time.monotonic() if answers[0] is None else None
        self.traps.free()
        if second is not None:
            answers.append(second.answer())
            assert answers[-1] is not None, second.log.read_text()[-3000:]
            self.crew.give_back(second)
        if killed_at is None:
            self.crew.give_back(first)
        else:
            assert first.process.wait(60) == -9, first.log.read_text()[-3000:]
            assert Path(self._order(plan, plan.as_of).marker).exists()
        return answers, killed_at

    def _second(self, plan: Plan, is_time: Callable[[], bool]) -> Child | None:
        if not plan.second:
            return None
        child = self.crew.take()
        assert child.jvm.is_alive
        assert eventually(is_time), "the first writer neither scores nor dies"
        as_of = plan.as_of if plan.second == "same" else f"{plan.as_of}T12:00:00"
        child.begin(self._order(plan, as_of))
        return child

    def _published(self, plan: Plan, as_of: str, answers: list[Mapping[str, Any] | None]) -> int:
        """Starts that it took until the as_of was published: undisturbed, as a scheduler would."""
        child = self.crew.take()
        for tried in range(1, _TRIES + 1):
            answer = child.does(self._order(plan, as_of, replace=plan.replaces and not _has_replaced(answers)))
            answers.append(answer)
            if answer["status"] in _DONE:
                self.crew.give_back(child)
                return tried
            assert answer["exit_code"] == 75, answer
        raise AssertionError(f"not published after {_TRIES} starts: {answers}")

    def _order(self, plan: Plan, as_of: str, *, at: str = "", replace: bool | None = None) -> Order:
        home = self.folder / "home"
        world = World(cast(SparkSession, None), home, self.registry)  # only its settings are asked for
        settings = world.settings(scoring={"batch_rows": BATCH_ROWS, "transport": plan.transport})
        flags = {"replace": plan.replaces if replace is None else replace}
        return Order(
            plain(settings), as_of, str(home / f"fault-{plan.number}"), at, "kill", str(self.traps.folder), flags
        )


def _has_replaced(answers: list[Mapping[str, Any] | None]) -> bool:
    return any(one is not None and one["status"] == "published" for one in answers)


def _said(answer: Mapping[str, Any] | None) -> str:
    if answer is None:
        return "killed"
    return str(answer["status"] if answer["exit_code"] == 0 else f"{answer['exit_code']} {answer['error']['class']}")
