"""Runs the cases: rounds of all contenders in random order, one at a time, each output checked and removed."""

import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench import data, machine, models, table_variants
from bench.comparisons import Case, Contender
from bench.data import Dataset, Shape
from bench.engines import ContenderError, Engine, Engines
from bench.plan import TINY_ROWS, WARM_ROWS
from bench.verify import Expected, verified


@dataclass
class Course:
    """One contender's book in a case."""

    contender: Contender
    turns: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


@dataclass
class Ground:
    """What a case's contenders are given."""

    case: Case
    sets: Mapping[str, Dataset]
    """tiny, warm, timed; none for the flights."""
    forms: Mapping[str, models.Model]
    expected: Mapping[str, Expected]
    extra: Mapping[str, Any]
    courses: list[Course]
    bare: dict[str, Any] = field(default_factory=dict)
    """How the bare limit reads, per form of the model, and what was tried."""


@dataclass(frozen=True)
class Bench:
    """A run of the benchmark."""

    engines: Engines
    home: Path
    """Keeps datasets and models between runs."""
    work: Path
    logs: Path
    short: bool

    def run(self, cases: Sequence[Case], *, seed: int, absent: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """What each contender of each case did, told again after every round; the last is all.

        Needs:   `absent`: engines that cannot start here, and why.
        """
        order = random.Random(seed)
        grounds = [self._ground(case, absent) for case in cases]
        for number in range(max(case.repeats for case in cases)):
            for ground in order.sample(grounds, len(grounds)):
                if number < ground.case.repeats:
                    self._round(ground, number, order)
            yield {ground.case.id: _told(ground) for ground in grounds}

    def _ground(self, case: Case, absent: Mapping[str, str]) -> Ground:
        courses = [Course(one, error=absent.get(one.engine)) for one in case.contenders]
        if case.shape is None:
            from bench.flights import prepared

            return Ground(case, {}, {}, {}, prepared(self.home / "flights", self.logs / "flights.log"), courses)
        machine.say(f"{case.id}: {case.shape.name}")
        columns, rows = case.shape.columns, case.shape.rows
        shapes = {"tiny": Shape(TINY_ROWS, columns), "warm": Shape(min(rows, WARM_ROWS), columns), "timed": case.shape}
        sets = {name: data.made(shape, self.home) for name, shape in shapes.items()}
        forms, oracle = models.made(case.kind, columns, self.home / "models")
        expected = {}
        for name, dataset in sets.items():
            ids, features = dataset.sample()
            expected[name] = (ids, oracle(features))
        for course in courses:
            if course.contender.flavour not in forms:
                course.error = course.error or f"absent: no {course.contender.flavour} form of the model here"
        return Ground(case, sets, forms, expected, {}, courses)

    def _round(self, ground: Ground, number: int, order: random.Random) -> None:
        machine.say(f"\n{ground.case.id}: round {number + 1} of {ground.case.repeats}")
        if ground.sets:
            ground.sets["timed"].warm()
        for place, course in enumerate(order.sample(ground.courses, len(ground.courses))):
            if course.error is None:
                try:
                    turn = self._turn(ground, course.contender)
                except Exception as error:  # noqa: BLE001  one contender's mistake is not the others' end
                    course.error = str(error) if isinstance(error, ContenderError) else repr(error)
                    machine.say(f"  {course.contender.name}: {course.error}")
                else:
                    course.turns.append({"round": number, "place": place, **turn})
                    machine.say(_line(course.contender, turn))

    def _turn(self, ground: Ground, contender: Contender) -> dict[str, Any]:
        """Warms up, takes the time, checks, tidies up."""
        folder = self.work / "turn"
        shutil.rmtree(folder, ignore_errors=True)
        engine = self.engines.get(contender.engine)
        options = {**contender.options, **ground.extra, **self._reading(ground, contender, engine)}
        try:
            start = 0.0 if self.short else self._warmed(engine, ground, contender, options)
            timed = self._pass(engine, ground, contender, options, "timed")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {**timed, "start_seconds": start}

    def _warmed(self, engine: Engine, ground: Ground, contender: Contender, options: Mapping[str, Any]) -> float:
        """Seconds of an untimed pass over few rows; where the process is new to the way, over more of them before.

        The flights have no fewer rows: only new processes make a pass over them, and none of it is a start.
        """
        key = f"{ground.case.kind} {contender.way} {contender.flavour} {contender.options}"
        if key not in engine.warmed:
            self._pass(engine, ground, contender, options, "warm")
            engine.warmed.add(key)
        if not ground.sets:
            return 0.0
        seconds: float = self._pass(engine, ground, contender, options, "tiny")["seconds"]
        return seconds

    def _pass(
        self, engine: Engine, ground: Ground, contender: Contender, options: Mapping[str, Any], name: str
    ) -> dict[str, Any]:
        out = self.work / "turn" / name
        out.mkdir(parents=True)
        turn = {"way": contender.way, "options": options, "out": str(out), "home": str(self.work / "turn" / "home")}
        variant = contender.options.get("table", table_variants.PLAIN)
        if ground.sets:
            dataset = ground.sets[name]
            path = table_variants.table(dataset, variant)
            described = {"path": path, "files": dataset.files, "features": dataset.shape.features}
            turn |= {"model": asdict(ground.forms[contender.flavour]), "data": described}
        answer, usage = engine.watched_go(turn)
        off = None
        if ground.sets:
            gone = table_variants.deleted(ground.sets[name], variant)
            off = verified(answer["output"], ground.sets[name].shape.rows, ground.expected[name], gone)
        told = {part: answer.get(part) or {} for part in ("parts", "notes")}
        return {"seconds": round(answer["seconds"], 4), "largest_difference": off, **told, **asdict(usage)}

    def _reading(self, ground: Ground, contender: Contender, engine: Engine) -> Mapping[str, Any]:
        """How the bare limit reads: measured once per case, before its first turn."""
        if contender.engine != "bare" or self.short:
            return {}
        if contender.flavour not in ground.bare:
            # growth asks how things grow, not for the last per cent: 24 passes over 100,000 files take half an hour
            dataset = ground.sets["warm" if ground.case.section == "growth" else "timed"]
            described = {"path": dataset.path, "files": dataset.files, "features": dataset.shape.features}
            model = asdict(ground.forms[contender.flavour])
            told = engine.go({"way": "tune", "options": {}, "out": "", "model": model, "data": described})
            ground.bare[contender.flavour] = {"best": told["best"], "tried": told["tried"]}
            machine.say(f"  the bare limit reads with {told['best']}")
        best: Mapping[str, Any] = ground.bare[contender.flavour]["best"]
        return best


def _line(contender: Contender, turn: Mapping[str, Any]) -> str:
    memory = turn["peak_mib"].get("all", 0)
    busy = f", {turn['foreign_cores']} cores busy elsewhere" if turn["foreign_cores"] > 0.1 else ""
    return f"  {contender.name:34} {turn['seconds']:9.2f} s  (tiny: {turn['start_seconds']:.2f} s, {memory} MiB{busy})"


def _told(ground: Ground) -> dict[str, Any]:
    case = ground.case
    shape = replace(case.shape, files=case.shape.file_count, groups=case.shape.group_count) if case.shape else None
    rows = case.shape.rows if case.shape else None
    return {
        "section": case.section,
        "name": case.name,
        "model": case.kind,
        "data": {**asdict(shape), "bytes": ground.sets["timed"].bytes} if shape else None,
        "repeats": case.repeats,
        "bare_reading": ground.bare,
        "contenders": {course.contender.name: _course(course, rows) for course in ground.courses},
    }


def _course(course: Course, rows: int | None) -> dict[str, Any]:
    contender = course.contender
    told: dict[str, Any] = {"engine": contender.engine, "way": contender.way, "flavour": contender.flavour}
    told |= {"options": dict(contender.options), "error": course.error, "turns": course.turns, "seconds": None}
    if not course.turns:
        return told
    seconds = [turn["seconds"] for turn in course.turns]
    spread = {"median": median(seconds), "min": min(seconds), "max": max(seconds)}
    return {**told, "seconds": spread, "rows_per_second": rows and round(rows / spread["median"])}
