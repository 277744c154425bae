"""What the commits of a stage say is done. Pure: no Spark, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

Spans = tuple[tuple[Any, Any], ...]
"""First and last leading key of files in which it ascends."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come."""

    version: int = -1
    """Of the stage's table; -1 where there is none."""
    plan: str | None = None
    """The file plan whose splits are numbered; None before the first chunk, and where Spark wrote the stage."""
    target: int | None = None
    """Bytes of a split in that plan."""
    splits: int = 0
    """How many there are."""
    done: frozenset[int] = frozenset()
    chunks: int = 0
    """Commits that hold rows or prove splits to be empty."""
    rows: int | None = 0
    """None where they have to be counted."""
    rejected: int = 0
    spans: Spans | None = ()
    """None where it is not proven that no key is there twice."""
    by_spark: bool = field(default=False)
    """One commit holds all."""

    @property
    def whole(self) -> bool:
        """Every row of the source is there."""
        return self.by_spark or (self.plan is not None and len(self.done) == self.splits)

    @property
    def begun(self) -> bool:
        """Something is there."""
        return self.chunks > 0

    def reused_by(self, later: "Progress") -> int:
        """How many of these chunks are still in what became of the stage."""
        return self.chunks if self.plan == later.plan and self.done <= later.done else 0

    @property
    def keys_ascend(self) -> bool:
        """The tasks saw that the leading keys of no two rows are equal."""
        if self.spans is None or self.by_spark:
            return False
        ordered = sorted(self.spans, key=lambda span: span[0])
        return all(before[1] < after[0] for before, after in pairwise(ordered))


NOTHING = Progress()
"""No stage."""


def progress(commits: Iterable[tuple[int, Mapping[str, Any]]], found: Progress = NOTHING) -> Progress:
    """What the commits of a stage, oldest first, with their notes, add to what there was."""
    for version, note in commits:
        found = replace(_after(found, note), version=version)
    return found


def _after(before: Progress, note: Mapping[str, Any]) -> Progress:
    kind = note.get("stage")
    if kind == "chunk":
        return _with_chunk(before, note)
    if kind == "whole":
        return Progress(chunks=1, rows=None, by_spark=True)
    if kind == "reset":
        return Progress()
    return replace(before, rows=None) if before.begun else before  # not a commit of the scoring: count


def _with_chunk(before: Progress, note: Mapping[str, Any]) -> Progress:
    told = note["spans"]
    both = None if told is None or before.spans is None else (*before.spans, *((span[0], span[1]) for span in told))
    return replace(
        before,
        plan=note["plan"],
        target=note["target"],
        splits=note["of"],
        done=before.done | numbers(note["splits"]),
        chunks=before.chunks + 1,
        rows=None if before.rows is None else before.rows + note["rows"],
        rejected=before.rejected + note["rejected"],
        spans=both,
    )


def chunk_note(plan: str, target: int, of: int, done: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The note of a commit that adds these splits' files: what `progress` reads."""
    files = [file for split in done.values() for file in split]
    return {
        "stage": "chunk",
        "plan": plan,
        "target": target,
        "of": of,
        "splits": ranges(done),
        "rows": sum(file["rows"] for file in files),
        "rejected": sum(file["rejected"] for file in files),
        "spans": _spans(files),
    }


def _spans(files: Sequence[Mapping[str, Any]]) -> list[list[Any]] | None:
    """None where a key does not ascend, or is of a type that JSON would change."""
    ends = [[file["first"], file["last"]] for file in files]
    plain = all(file["ascending"] for file in files) and all(
        isinstance(end, int | str) for pair in ends for end in pair
    )
    return ends if plain else None


def ranges(whole_numbers: Iterable[int]) -> str:
    """Numbers as text: `0-7,9`."""
    spans: list[list[int]] = []
    for number in sorted(set(whole_numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def numbers(text: str) -> frozenset[int]:
    """The numbers again."""
    ends = [part.partition("-") for part in text.split(",") if part]
    return frozenset(n for low, _, high in ends for n in range(int(low), int(high or low) + 1))
