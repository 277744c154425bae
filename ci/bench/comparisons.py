"""What a comparison is made of: engines, contenders, cases, goals. Nothing here runs anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.data import Shape

REPEATS = 5


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """A long-lived process: a module of `ways` in one of the two environments."""

    module: str
    peers: bool = False
    needs: tuple[str, ...] = ()
    """Modules without which it cannot start."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """One way from rows to predictions."""

    name: str
    engine: str
    way: str
    flavour: str
    """The form of the model that it takes."""
    options: Mapping[str, Any] = field(default_factory=dict)
    short: bool = False
    """Takes part in the short run."""


@dataclass(frozen=True, slots=True)
class Case:
    """What all contenders of a comparison are given."""

    section: str
    name: str
    contenders: tuple[Contender, ...]
    kind: str = "linear"
    """Of the model."""
    shape: Shape | None = None
    """None: the quickstart's flights."""
    repeats: int = REPEATS

    @property
    def id(self) -> str:
        """Unique in a run."""
        return f"{self.section}/{self.name}"


@dataclass(frozen=True, slots=True)
class Part:
    """Seconds of one contender in a round: the whole turn, or a part that it tells of."""

    contender: str
    part: str | None = None
    less_start: bool = False
    """Less the same over a tiny table: peers that start their actors anew in each pass are spared that."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of seconds, of parts in the same round; without a `bottom` the seconds, or counts, themselves."""

    name: str
    case: str
    top: tuple[Part, ...]
    bottom: tuple[Part, ...]
    target: float
    sense: Literal["at least", "at most"] = "at least"
    less: tuple[Part, ...] = ()
    """Subtracted from the top: what one more of something costs is the difference of two runs."""
    per: int = 1
    """How many of it the top has more."""

    @property
    def line(self) -> float:
        """70 % of the goal: what a change may never fall behind."""
        return round(self.target * 0.7 if self.sense == "at least" else self.target / 0.7, 3)

    def met(self, ratio: float, bound: float | None = None) -> bool:
        """Whether a ratio reaches the target, or another bound."""
        bound = self.target if bound is None else bound
        return ratio >= bound if self.sense == "at least" else ratio <= bound
