"""Goals against what was measured: the median of the ratios of the rounds, and their spread."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from bench.comparisons import Goal, Part
from bench.plan import GOALS


def judged(cases: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line per goal whose case was run: ratio, spread, met or not. No ratio where a contender is missing."""
    return [_judged(goal, cases[goal.case]) for goal in GOALS if goal.case in cases]


def _judged(goal: Goal, case: Mapping[str, Any]) -> dict[str, Any]:
    ratios = _ratios(goal, case["contenders"])
    line = {"goal": goal.name, "case": goal.case, "sense": goal.sense, "target": goal.target, "line": goal.line}
    if not ratios:
        return line | dict.fromkeys(("ratio", "min", "max", "without_start", "met", "above_line")) | {"rounds": 0}
    middle = median(ratios)
    return line | {
        "rounds": len(ratios),
        "ratio": round(middle, 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
        "without_start": _without_start(goal, case["contenders"]),
        "met": goal.met(middle),
        "above_line": goal.met(middle, goal.line),
    }


def _without_start(goal: Goal, contenders: Mapping[str, Any]) -> float | None:
    """The same ratio where every contender is spared what its pass over the tiny table took: as of endless tables."""
    if goal.less or not goal.bottom or any(part.part is not None for part in (*goal.top, *goal.bottom)):
        return None
    tops, bottoms = (tuple(replace(part, less_start=True) for part in parts) for parts in (goal.top, goal.bottom))
    return round(median(_ratios(replace(goal, top=tops, bottom=bottoms), contenders)), 3)


def _ratios(goal: Goal, contenders: Mapping[str, Any]) -> list[float]:
    tops, less, bottoms = (
        [_by_round(part, contenders) for part in parts] for parts in (goal.top, goal.less, goal.bottom)
    )
    rounds = set.intersection(*(set(seconds) for seconds in (*tops, *less, *bottoms)))
    return [
        (_sum(tops, number) - _sum(less, number)) / goal.per / (_sum(bottoms, number) if bottoms else 1)
        for number in sorted(rounds)
    ]


def _sum(parts: Iterable[Mapping[int, float]], number: int) -> float:
    return sum(part[number] for part in parts)


def _by_round(part: Part, contenders: Mapping[str, Any]) -> dict[int, float]:
    turns: Sequence[Mapping[str, Any]] = contenders.get(part.contender, {}).get("turns", ())
    return {turn["round"]: _seconds(part, turn) for turn in turns if part.part is None or part.part in turn["parts"]}


def _seconds(part: Part, turn: Mapping[str, Any]) -> float:
    seconds: float = turn["seconds"] if part.part is None else turn["parts"][part.part]
    return max(seconds - (turn["start_seconds"] if part.less_start else 0.0), 1e-3)


def table(goals: Sequence[Mapping[str, Any]]) -> str:
    """The goals as text for a terminal."""
    head = ("goal", "target", "ratio", "min", "max", "without start", "met", "0.7 line")
    lines = [head, *(_cells(goal) for goal in goals)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _cells(goal: Mapping[str, Any]) -> tuple[str, ...]:
    target = f"{'>=' if goal['sense'] == 'at least' else '<='} {goal['target']:g}"
    if goal["ratio"] is None:
        return (goal["goal"], target, "-", "-", "-", "-", "not measured", f"{goal['line']:g}")
    met = "yes" if goal["met"] else "no"
    line = f"{goal['line']:g} {'held' if goal['above_line'] else 'broken'}"
    without = "-" if goal["without_start"] is None else f"{goal['without_start']:.2f}"
    return (goal["goal"], target, *(f"{goal[name]:.2f}" for name in ("ratio", "min", "max")), without, met, line)
