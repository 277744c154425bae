"""What a model's `predict` may return where predictions alone do not say all: rejects, and counts of its own.

A model imports it as `from sparkscore import RowReject, ScoredRows`. Light: it runs on executors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowReject:
    """Why the model has no prediction for a row."""

    code: str
    """1 to 40 characters of a-z, 0-9 and _: what rejects are counted by."""
    message: str = ""
    """For people; one line of at most 300 characters is kept. It should hold no value of the row."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """What became of the rows of a batch."""

    predictions: Any
    """What any model may return, one per row; what stands at a rejected row is ignored."""
    rejects: Mapping[int, RowReject] = field(default_factory=dict)
    """By the row's position in the batch, from 0."""
    counts: Mapping[str, float] = field(default_factory=dict)
    """The model's own counts of this call, by name (a-z, then a-z, 0-9 and _): they add up over batches and tasks."""
