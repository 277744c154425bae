"""What a run costs that scores one of a hundred rows, against one that scores all, above what both cost anyway."""

from bench.comparisons import Case, Contender, Goal, Part

SIZES = (500_000, 2_000_000, 8_000_000)
CHANGES = ("inserts", "updates")
"""Rows that are appended; rows that a MERGE updates, in files with many others, with a change data feed."""


def _contender(change: str, rows: int) -> Contender:
    return Contender(f"ours, {change}", "increments", "changes", "sklearn", {"rows": rows, "change": change})


def _case_name(rows: int) -> str:
    return f"one of 100 of {rows:,} rows"


def increment_cases(repeats: int) -> list[Case]:
    """Each size with each kind of change; a turn has a full run, an increment and a run of one row."""
    return [
        Case("increments", _case_name(rows), tuple(_contender(change, rows) for change in CHANGES), repeats=repeats)
        for rows in SIZES
    ]


INCREMENT_GOALS = tuple(
    Goal(
        f"{change}: one of 100 of {rows:,} rows, of all, above one row",
        f"increments/{_case_name(rows)}",
        (Part(_contender(change, rows).name, "increment above"),),
        (Part(_contender(change, rows).name, "full above"),),
        0.05,
        "at most",
    )
    for rows in SIZES
    for change in CHANGES
)
