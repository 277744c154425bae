"""Summaries of the rows of a part, taken while it is scored, and kept in the part's files. Runs on executors.

They are as atomic as the rows: the files of a failed or speculative task belong to no table, nor do their summaries.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from sparkscore.records import PartRows, PassSummaries, RowSummary, RowSummaryState

ROWS_READ_NOTE = "sparkscore.rows_read"
"""Key of a file's metadata: the source's rows that its part has. The second file of a part has 0."""
_MAX_STATE_BYTES = 8 << 20
"""A greater state is left out: whoever reads the file's rows reads its metadata, too."""


def state_note(name: str) -> str:
    """The key of a file's metadata for the states of the summaries of a name."""
    return f"sparkscore.{name}"


class PartSummaries:
    """What is summarised of one part while it is scored. A summary that fails is left out: it never fails a run."""

    def __init__(self, wanted: PassSummaries) -> None:
        self.rows_read = 0
        self._source = [(_GuardedState(one.summary, one.fingerprint), one.share) for one in wanted.source]
        self._staged = [_GuardedState(summary, summary.fingerprint) for summary in wanted.staged]

    def follow_source(self, batches: Iterable[pa.RecordBatch], rows: PartRows) -> Iterator[pa.RecordBatch]:
        """The same batches, which `rows` has given, counted and summarised."""
        for batch in batches:
            self.rows_read += batch.num_rows
            for state, share in self._source:
                if share >= 1:
                    state.add(batch)
                else:
                    for offset, length in rows.sample_slices(share):
                        state.add(batch.slice(offset, length))
            yield batch

    def follow_staged(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches of the stage, summarised."""
        for batch in batches:
            for state in self._staged:
                state.add(batch)
            yield batch

    def to_file_notes(self) -> Mapping[str, str]:
        """What the first file of the part holds in its metadata."""
        states: Sequence[_GuardedState] = [*(state for state, _ in self._source), *self._staged]
        notes = {state.key: state.to_note() for state in states}
        return {ROWS_READ_NOTE: str(self.rows_read), **{key: note for key, note in notes.items() if note is not None}}


def to_sibling_notes(notes: Mapping[str, str]) -> Mapping[str, str]:
    """What the second file of a part holds: the same summaries, of no rows."""
    return {key: "0" if key == ROWS_READ_NOTE else format_state_note(note, b"") for key, note in notes.items()}


def format_state_note(fingerprint: str, state: bytes) -> str:
    """A state as text of a file's metadata. A note in place of the fingerprint gives its own."""
    return f"{fingerprint.partition(':')[0]}:{base64.b64encode(state).decode()}"


def parse_state_note(note: str, fingerprint: str) -> bytes | None:
    """The state again, empty for the second file of a part; None where it is of another summary."""
    found, _, state = note.partition(":")
    return base64.b64decode(state) if found == fingerprint else None


class _GuardedState:
    """A state that ends with its first failure."""

    def __init__(self, summary: RowSummary, fingerprint: str) -> None:
        self.key, self._fingerprint = state_note(summary.name), fingerprint
        self._state: RowSummaryState | None = None
        try:
            self._state = summary.start()
        except Exception:  # noqa: BLE001  the driver sees that it is missing, and computes it in another way
            return

    def add(self, batch: pa.RecordBatch) -> None:
        if self._state is not None:
            try:
                self._state.add(batch)
            except Exception:  # noqa: BLE001  likewise
                self._state = None

    def to_note(self) -> str | None:
        try:
            state = None if self._state is None else self._state.to_bytes()
        except Exception:  # noqa: BLE001  likewise
            return None
        return None if state is None or len(state) > _MAX_STATE_BYTES else format_state_note(self._fingerprint, state)
