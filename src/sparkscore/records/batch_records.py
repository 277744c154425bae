"""How large the batches may be that a model gets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What the settings and an earlier run say of a model's batches. Pickled into every task."""

    rows: int | None = None
    """At most so many; None: as many as are fastest."""
    bytes: int | None = None
    """Of the inputs, at most so many; None: a bound that the executor chooses, or with `rows` none."""
    known_rows: int | None = None
    """What was fastest in an earlier run: the search begins there."""
    most_rows: int | None = None
    """More had no room in an earlier run."""


ANY_BATCHES = BatchLimits()
"""Of a model of which nothing is known."""
