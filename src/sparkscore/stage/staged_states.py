"""The summaries of a stage's rows, gathered from the files that its tasks have written."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from sparkscore.errors import SparkscoreError
from sparkscore.records import RowSummary, SampledSummary, Stage
from sparkscore.stage.part_summaries import ROWS_READ_NOTE, parse_state_note, state_note
from sparkscore.store.table_log import TableLog, list_data_files

_THREADS = 8
_FILES_AT_ONCE = 32
"""The metadata of so many files is in memory at a time."""
_KEPT_BYTES = 32 << 20
"""Metadata of a stage that stays in memory for the summaries that are asked for next."""


class StatesMissing(Exception):
    """A file of the stage lacks the state of a summary: an older version wrote it, or for another suite."""


@dataclass(frozen=True)
class StagedStates:
    """What the files of a complete stage say of its rows."""

    log: TableLog
    stage: Stage

    def iterate_states(self, summary: RowSummary, *, share: float = 1.0) -> Iterator[bytes]:
        """The states of all parts, in the order of the files; at least one, if need be of no rows.

        `share`: of the rows that were to be summarised.

        Jobs:    none: the metadata of each file is read.
        Runs on: driver.
        Raises:  StatesMissing, in the middle, too.
        """
        yield summary.start().to_bytes()
        rows, key = 0, state_note(summary.name).encode()
        fingerprint = SampledSummary(summary, share).fingerprint
        for notes in self._iterate_notes():
            note, read = notes.get(key), notes.get(ROWS_READ_NOTE.encode())
            state = None if note is None or read is None else parse_state_note(note.decode(), fingerprint)
            if state is None or read is None:
                raise StatesMissing(f"a file of the stage has no {summary.name} of this suite and these settings")
            rows += int(read)
            if state:
                yield state
        if rows != self.stage.rows:
            raise StatesMissing(f"the files of the stage tell of {rows:,} rows instead of {self.stage.rows:,}")

    @cached_property
    def _paths(self) -> list[str]:
        try:
            files = list_data_files(self.log.open_version(self.stage.version))
        except (DeltaError, OSError, SparkscoreError) as error:
            raise StatesMissing(f"deltalake cannot read the stage's log ({type(error).__name__})") from error
        return [str(path) for path in files.column("path").to_pylist()]

    @cached_property
    def _kept_notes(self) -> dict[str, Mapping[bytes, bytes]]:
        """By path; none where they are large."""
        return {}

    def _iterate_notes(self) -> Iterator[Mapping[bytes, bytes]]:
        if self._kept_notes:
            yield from self._kept_notes.values()
            return
        read, size = {}, 0
        for path, notes in self._read_notes():
            size += sum(map(len, notes.values()))
            if size <= _KEPT_BYTES:
                read[path] = notes
            yield notes
        if len(read) == len(self._paths):
            self._kept_notes.update(read)

    def _read_notes(self) -> Iterator[tuple[str, Mapping[bytes, bytes]]]:
        with ThreadPoolExecutor(min(_THREADS, max(len(self._paths), 1))) as pool:
            for first in range(0, len(self._paths), _FILES_AT_ONCE):
                paths = self._paths[first : first + _FILES_AT_ONCE]
                yield from zip(paths, pool.map(self._read_file_notes, paths), strict=True)

    def _read_file_notes(self, path: str) -> Mapping[bytes, bytes]:
        try:
            location = self.log.location
            metadata = pq.read_metadata(f"{location.root}/{path}", filesystem=location.filesystem)
        except (OSError, pa.ArrowInvalid) as error:
            raise StatesMissing(f"a file of the stage cannot be read ({type(error).__name__})") from error
        notes: Mapping[bytes, bytes] = metadata.metadata or {}
        return notes
