"""Challengers of a pass: each batch that the champion's task reads is given to them, too. Runs on executors.

Whatever becomes of a challenger, the champion's rows are what they are without it: a challenger that raises, hangs or
takes too long is given up for the part, and its files of the part are removed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from sparkscore.errors import MESSAGE_HIDDEN, BatchTimeout, PredictError, SparkscoreError
from sparkscore.records import ChallengerPart, TableLocation
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.scoring.task_models import model_wait_s
from sparkscore.stage.file_writer import StageFiles

_GROUP_ROWS, _GROUP_BYTES = 65_536, 32 << 20
"""So many rows, or bytes, of small batches come together before a challenger gets them."""


@dataclass(frozen=True, slots=True)
class PassChallenger:
    """A challenger that gets the rows of a pass. Pickled into every task."""

    number: int
    """By which its results are told apart."""
    scorer: StageRowScorer
    location: TableLocation
    """Of its own stage."""
    allowed_s: float
    """Seconds that it may take in a task, its load among them."""


class ChallengersOfPart:
    """The challengers while a task scores one part. As a context: their files are removed where the champion fails."""

    def __init__(self, challengers: Sequence[PassChallenger], key: str) -> None:
        self._running = [_ChallengerOfPart(one, key) for one in challengers]
        self.read_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for one in self._running:
                one.remove()

    def follow_source(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches; challengers score each after the champion has got it."""
        return self._follow(batches) if self._running else batches

    def _follow(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while True:
            started = time.monotonic()
            batch = next(batches, None)
            self.read_s += time.monotonic() - started
            if batch is None:
                return
            yield batch
            for one in self._running:
                one.add(batch)

    def score_waiting(self) -> None:
        """Give the challengers the rows that they have not got yet."""
        for one in self._running:
            one.score_waiting()

    def close(self) -> tuple[ChallengerPart, ...]:
        """What became of the part for each challenger.

        Needs:   that the champion has scored all of it.
        """
        return tuple(one.close() for one in self._running)


class _ChallengerOfPart:
    def __init__(self, challenger: PassChallenger, key: str) -> None:
        self._challenger, self._spent_s = challenger, 0.0
        self._loading_s = 0.0
        self._files: StageFiles | None = StageFiles(challenger.scorer.schema, challenger.location, key)
        self._waiting = list[pa.RecordBatch]()
        self._error: Mapping[str, Any] | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        if self._files is None or not batch.num_rows:
            return
        self._waiting.append(batch)
        rows, size = sum(one.num_rows for one in self._waiting), sum(one.nbytes for one in self._waiting)
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            self.score_waiting()

    def close(self) -> ChallengerPart:
        self.score_waiting()
        files = [] if self._files is None else self._close_files(self._files)
        return ChallengerPart(
            self._challenger.number,
            tuple(files),
            self._spent_s,
            self._error,
            self._challenger.scorer.counters.take_travelling(),
        )

    def remove(self) -> None:
        if self._files is not None:
            self._files.remove()
            self._files = None

    def score_waiting(self) -> None:
        batches, self._waiting = self._waiting, []
        if self._files is None or not batches:
            return
        started, waited = time.monotonic(), model_wait_s()
        try:
            for staged in self._challenger.scorer(iter(batches)):
                self._files.add(staged)
            spent_s = time.monotonic() - started
            self._loading_s += model_wait_s() - waited
            self._spent_s += spent_s - (model_wait_s() - waited)
            self._refuse_slow(self._spent_s + self._loading_s)
        except Exception as error:  # noqa: BLE001  whatever it is, the champion goes on
            self._error = self._describe_error(error)
            self.remove()

    def _close_files(self, files: StageFiles) -> Any:
        try:
            return files.close({})
        except Exception as error:  # noqa: BLE001  likewise
            self._error = self._describe_error(error)
            self.remove()
            return []

    def _refuse_slow(self, spent_s: float) -> None:
        allowed_s = self._challenger.allowed_s
        if spent_s > allowed_s:
            raise BatchTimeout(
                f"it took {spent_s:.1f} s in a task, and {allowed_s:.1f} s were left for it",
                "a challenger that is done within its timeout and its budget",
                "raise challengers.timeout or challengers.budget, or make the model faster",
            )

    def _describe_error(self, error: Exception) -> Mapping[str, Any]:
        if isinstance(error, SparkscoreError):
            return error.to_dict()
        is_sensitive = self._challenger.scorer.model.sensitive
        text = type(error).__name__ if is_sensitive else shorten_redacted(f"{type(error).__name__}: {error}", 500)
        return PredictError(text, do=MESSAGE_HIDDEN if is_sensitive else PredictError.remedy).to_dict()
