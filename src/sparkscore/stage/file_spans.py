"""Sets of rows of data files, as spans of their numbers in a block of the file. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sparkscore.records import FileSpan

FileSpans = Mapping[tuple[int, int], Sequence[tuple[int, int]]]
"""By file and block: from which row to which, ascending, with gaps between."""

NO_SPANS: FileSpans = MappingProxyType({})
"""No row."""


def add_file_spans(found: FileSpans, spans: Iterable[Sequence[int]]) -> FileSpans:
    """The rows of both; spans that meet or overlap become one."""
    added: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for file, block, first, end in spans:
        added.setdefault((file, block), []).append((first, end))
    return {**found, **{place: _merge_ranges([*found.get(place, ()), *ranges]) for place, ranges in added.items()}}


def has_common_rows(spans: Iterable[FileSpan], other: FileSpans) -> bool:
    """Whether a row of the spans is in the others."""
    return any(
        low < end and first < high for file, block, first, end in spans for low, high in other.get((file, block), ())
    )


def list_file_spans(spans: FileSpans) -> list[FileSpan]:
    """The spans one by one, in a stable order."""
    return [(*place, first, end) for place in sorted(spans) for first, end in spans[place]]


def _merge_ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((first, end))
    return merged
