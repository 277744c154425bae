"""The progress of a stage, from its commits. Pure: no Spark, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from sparkscore.records import ScoredPart, SplitPart, SplitPosition, StagedFile
from sparkscore.stage.file_spans import NO_SPANS, FileSpans, add_file_spans, list_file_spans

CoveredRows = tuple[tuple[SplitPosition, SplitPosition], ...]
"""From where to where the rows of a split are in the stage; ascending, with gaps between."""

KeySpans = tuple[tuple[Any, Any], ...]
"""First and last leading key of files in which it ascends."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage has come."""

    version: int = -1
    """Of the stage's table; -1 where there is none."""
    plan: str | None = None
    """The file plan whose splits are numbered; None before the first chunk, and where Spark wrote the stage."""
    target: int | None = None
    """Bytes of a split in that plan; where Spark reads the rows, for how many tasks it cuts the files."""
    splits: int = 0
    """How many there are."""
    done: frozenset[int] = frozenset()
    """Splits of which all rows are there."""
    started_splits: Mapping[int, tuple[int, CoveredRows]] = field(default_factory=dict)
    """Of those of which some are there: how many ranges they have, and what of them is there."""
    chunks: int = 0
    """Commits that hold rows or prove splits to be empty."""
    rows: int | None = 0
    """None where they have to be counted."""
    rejected: int = 0
    rows_read: int | None = 0
    """Of the source; None where a chunk's note does not say."""
    spans: KeySpans | None = ()
    """None where it is not proven that no key is there twice."""
    by_spark: bool = field(default=False)
    """One commit holds all."""
    file_spans: FileSpans = field(default_factory=lambda: NO_SPANS)
    """Which rows of the source's files are there, where Spark has read them for the tasks: then there is one split."""

    @property
    def is_complete(self) -> bool:
        """Whether every row of the source is there."""
        return self.by_spark or (self.plan is not None and len(self.done) == self.splits)

    @property
    def has_started(self) -> bool:
        """Whether something is there."""
        return self.chunks > 0

    def count_reused_chunks(self, later: "StageProgress") -> int:
        """How many of these chunks are still in what became of the stage."""
        kept = self.plan == later.plan and self.done <= later.done
        kept = kept and all(split in later.done or split in later.started_splits for split in self.started_splits)
        return self.chunks if kept else 0

    def find_missing_parts(self, split: int) -> list[SplitPart]:
        """The parts of a split of which no row is there."""
        if self.is_complete or split in self.done:
            return []
        if split not in self.started_splits:
            return [SplitPart(split)]
        count, covered = self.started_splits[split]
        ends: list[SplitPosition] = [(0, 0), *(position for one in covered for position in one), (count, 0)]
        gaps = [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high]
        return [SplitPart(split, low, high, _gap_share(low, high, count, len(gaps))) for low, high in gaps]

    def is_missing(self, part: ScoredPart) -> bool:
        """Whether no row of a part is there."""
        return any(
            gap.first <= part.first and (gap.last is None or part.last <= gap.last)
            for gap in self.find_missing_parts(part.split)
        )

    @property
    def keys_ascend(self) -> bool:
        """The tasks saw that the leading keys of no two rows are equal."""
        if self.spans is None or self.by_spark:
            return False
        ordered = sorted(self.spans, key=lambda span: span[0])
        return all(before[1] < after[0] for before, after in pairwise(ordered))


NO_PROGRESS = StageProgress()
"""No stage."""


def progress_from_commits(
    commits: Iterable[tuple[int, Mapping[str, Any]]], found: StageProgress = NO_PROGRESS
) -> StageProgress:
    """What the commits of a stage, oldest first, with their notes, add to what there was."""
    for version, note in commits:
        found = replace(_apply_commit_note(found, note), version=version)
    return found


def _apply_commit_note(before: StageProgress, note: Mapping[str, Any]) -> StageProgress:
    kind = note.get("stage")
    if kind == "chunk":
        return _add_chunk_note(before, note)
    if kind == "whole":
        return StageProgress(chunks=1, rows=None, rows_read=None, by_spark=True)
    if kind == "reset":
        return StageProgress()
    return replace(before, rows=None) if before.has_started else before  # not a commit of the scoring: count


def _add_chunk_note(before: StageProgress, note: Mapping[str, Any]) -> StageProgress:
    new = note["spans"]
    spans = None if new is None or before.spans is None else (*before.spans, *((span[0], span[1]) for span in new))
    done, started = before.done | parse_number_ranges(note["splits"]), dict(before.started_splits)
    for split, count, *ends in note.get("parts", ()):
        first, last = (ends[0], ends[1]), (ends[2], ends[3])
        covered = _add_covered_span(started.pop(split, (count, ()))[1], (first, last))
        if covered == (((0, 0), (count, 0)),):
            done |= {split}
        else:
            started[split] = (count, covered)
    return replace(
        before,
        plan=note["plan"],
        target=note["target"],
        splits=note["of"],
        done=done,
        started_splits=started,
        chunks=before.chunks + 1,
        rows=None if before.rows is None else before.rows + note["rows"],
        rejected=before.rejected + note["rejected"],
        rows_read=None if before.rows_read is None or "read" not in note else before.rows_read + note["read"],
        spans=spans,
        file_spans=add_file_spans(before.file_spans, note.get("rows_of", ())),
    )


def _add_covered_span(covered: CoveredRows, new: tuple[SplitPosition, SplitPosition]) -> CoveredRows:
    """Spans that meet become one."""
    merged: list[tuple[SplitPosition, SplitPosition]] = []
    for low, high in sorted((*covered, new)):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _gap_share(low: SplitPosition, high: SplitPosition, count: int, gaps: int) -> float:
    """About how much of its split a gap is: by its ranges; where it begins and ends in one, nobody knows any more."""
    touched = high[0] - low[0] + (high[1] > 0)
    return touched / (count + gaps)


def build_chunk_note(plan: str, target: int, of: int, parts: Sequence[ScoredPart]) -> dict[str, Any]:
    """The note of a commit that adds the files of these parts: what `progress_from_commits` reads."""
    files = [file for part in parts for file in part.files]
    return {
        "stage": "chunk",
        "plan": plan,
        "target": target,
        "of": of,
        "splits": format_number_ranges(part.split for part in parts if part.is_whole_split),
        "parts": [[part.split, part.ranges, *part.first, *part.last] for part in parts if not part.is_whole_split],
        "rows": sum(file.rows for file in files),
        "rejected": sum(file.rejected for file in files),
        "read": sum(part.rows_read for part in parts),
        "spans": _file_key_spans(files),
    }


def build_row_chunk_note(plan: str, tasks: int, parts: Sequence[ScoredPart], *, is_last: bool) -> dict[str, Any]:
    """The same of parts whose rows Spark has read: the rows of all files are one split.

    `is_last`: nothing of it is missing then.
    """
    note = build_chunk_note(plan, 0, 1, [])
    files = [file for part in parts for file in part.files]
    spans = add_file_spans(NO_SPANS, (span for part in parts for span in part.spans))
    return {
        **note,
        "target": tasks,
        "splits": "0" if is_last else "",
        "rows": sum(file.rows for file in files),
        "rejected": sum(file.rejected for file in files),
        "read": sum(part.rows_read for part in parts),
        "spans": _file_key_spans(files),
        "rows_of": list_file_spans(spans),
    }


def _file_key_spans(files: Sequence[StagedFile]) -> list[list[Any]] | None:
    """None where a key does not ascend, or is of a type that JSON would change."""
    ends = [[file.first, file.last] for file in files]
    plain = all(file.ascending for file in files) and all(isinstance(end, int | str) for pair in ends for end in pair)
    return ends if plain else None


def format_number_ranges(numbers: Iterable[int]) -> str:
    """Numbers as text: `0-7,9`."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def parse_number_ranges(text: str) -> frozenset[int]:
    """The numbers again."""
    ends = [part.partition("-") for part in text.split(",") if part]
    return frozenset(n for low, _, high in ends for n in range(int(low), int(high or low) + 1))
