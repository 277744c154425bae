"""The parts of a report. The template draws these and nothing else, so that every value is escaped in one place."""

from dataclasses import dataclass
from typing import Literal

Legend = Literal[
    "",
    "area",
    "mark",
    "dots",
    "attempts",
    "models_area",
    "models_mark",
    "models_dots",
    "shadow_area",
    "shadow_mark",
    "shadow_dots",
]
"""Which key a picture needs: filled area and dashed line, bar and mark, two dots, or crosses for attempts.
`models_`: a challenger and its champion in the place of this run and the last one."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value. `mark` is what its symbol says: well, badly, or nothing."""

    label: str
    value: str
    note: str = ""
    mark: Literal["", "good", "bad"] = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its title above and a sentence on what it shows below."""

    title: str
    picture: str
    """SVG of `charts`; empty where the sentence is enough."""
    sentence: str
    legend: Legend = ""
    is_highlighted: bool = False
    """Marked as drifted."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    mark: Literal["", "good", "bad", "warn"] = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class PageTable:
    """Rows below a head; `numbers` are the columns that are aligned at the right."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sentence: str = ""
    numbers: tuple[int, ...] = ()
    narrow: bool = False
    """Fits a phone as it is; others are stacked there, each cell below the one before."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report. A section without data says so instead of disappearing."""

    title: str
    sentence: str = ""
    facts: tuple[Fact, ...] = ()
    figures: tuple[Figure, ...] = ()
    legend: Legend = ""
    """The key that all figures share."""
    small: tuple[Figure, ...] = ()
    """Small multiples, side by side where there is room."""
    tables: tuple[PageTable, ...] = ()


@dataclass(frozen=True, slots=True)
class PageHead:
    """The top of a report: its subject, the outcome, the most important figures."""

    kind: str
    title: str
    sentence: str
    mark: Literal["", "good", "bad"] = ""
    state: str = ""
    error: tuple[str, ...] = ()
    """Class of the error, its message, whether a retry can help."""
    warnings: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    small: str = ""
    """The identifiers, in small letters."""
