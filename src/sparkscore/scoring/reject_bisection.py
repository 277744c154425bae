"""Bisects a batch on which the model raised: keeps the parts that it predicts; rows that fail alone become rejects.

Pure functions over a scorer. Wrong shapes and types of what a model returns are errors of the model, never of a row,
and pass through: a model that aggregates would look right on single rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.errors import BatchTimeout, InputOutOfRange, RowsNotPredicted
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.schemas import REJECT_TYPE, repeat_reject

PREDICT_FAILED = "predict_failed"
BATCH_TIMEOUT = "batch_timeout"
NULL_PREDICTION = "null_prediction"
INPUT_OUT_OF_RANGE = "input_out_of_range"
REJECT_MESSAGES = {
    PREDICT_FAILED: "the model raised an error on this row alone",
    INPUT_OUT_OF_RANGE: "an input of this row is a number that the type in which the model computes cannot hold",
    BATCH_TIMEOUT: "the model did not answer in time for a batch with this row",
    NULL_PREDICTION: "the model's prediction, or a part of it that must be there, is NULL or NaN",
}
"""The message of a reject by its code: never the model's own message, which may hold values."""

_MIN_FAILURE_LIMIT = 8
_ROWS_PER_FAILURE = 100
_MAX_FAILURE_LIMIT = 256


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What became of a batch's rows."""

    predictions: pa.Array
    """NULL for rejected rows."""
    rejects: pa.StructArray | None = None
    """Of type `REJECT_TYPE`, NULL for predicted rows; None where no row was rejected."""


def max_failing_rows(rows: int) -> int:
    """How many rows of a batch may fail alone: one in a hundred, but at least 8 and at most 256."""
    return max(_MIN_FAILURE_LIMIT, min(rows // _ROWS_PER_FAILURE, _MAX_FAILURE_LIMIT))


def max_model_calls(rows: int) -> int:
    """How often the model is called for a batch at most: enough for `max_failing_rows` rows, wherever they lie."""
    return 1 + 2 * (max_failing_rows(rows) + 1) * (rows - 1).bit_length()


def score_by_bisection(
    score: Scorer, columns: Sequence[pa.Array], output: pa.DataType, *, has_own_process: bool
) -> ScoredBatch:
    """A prediction or a reject for each row. Where nothing fails it is one call and nothing more.

    `has_own_process`: whether the model is in a process of its own, which ends with a hang; then the rows of a
    part that it hangs on are rejected together: each look for the one at fault would cost a time-out.

    Shapes:  n >= 1 rows -> n predictions; and n rejects, or none.
    Runs on: executor.
    Raises:  RowsNotPredicted where more than `max_failing_rows` rows fail alone, or after `max_model_calls`;
             BatchTimeout; whatever else the scorer raises.
    """
    return _BatchBisection(score, columns, output, has_own_process=has_own_process).score_rows()


class _BatchBisection:
    """A batch while it is looked through, from the first row to the last."""

    def __init__(
        self, score: Scorer, columns: Sequence[pa.Array], output: pa.DataType, *, has_own_process: bool
    ) -> None:
        self._score, self._columns, self._output, self._has_own_process = score, columns, output, has_own_process
        self._rows = len(columns[0])
        self._calls = self._failed = 0

    def score_rows(self) -> ScoredBatch:
        result = self._try_part(self._columns)
        return (
            result
            if isinstance(result, ScoredBatch)
            else _concat_scored_batches(list(self._bisect_part(0, self._rows, result)))
        )

    def _bisect_part(self, start: int, rows: int, failure: RowsNotPredicted) -> Iterator[ScoredBatch]:
        """The outcome of a part that failed."""
        if rows == 1:
            self._failed += 1
            if self._failed > max_failing_rows(self._rows):
                raise self._too_many_failures_error(failure)
            code = INPUT_OUT_OF_RANGE if isinstance(failure, InputOutOfRange) else PREDICT_FAILED
            yield self._reject_rows(1, code, failure.raised or None)
            return
        half = rows // 2
        for first, length in ((start, half), (start + half, rows - half)):
            if self._calls >= max_model_calls(self._rows):
                raise self._too_many_failures_error(failure)
            part = self._try_part([column.slice(first, length) for column in self._columns])
            if isinstance(part, ScoredBatch):
                yield part
            else:
                yield from self._bisect_part(first, length, part)

    def _try_part(self, columns: Sequence[pa.Array]) -> ScoredBatch | RowsNotPredicted:
        self._calls += 1
        try:
            return ScoredBatch(self._score(columns))
        except BatchTimeout:
            if not self._has_own_process:
                raise
            return self._reject_rows(len(columns[0]), BATCH_TIMEOUT, None)
        except RowsNotPredicted as error:
            return error if len(columns[0]) == 1 else _drop_traceback(error)

    def _reject_rows(self, rows: int, code: str, error: str | None) -> ScoredBatch:
        return ScoredBatch(pa.nulls(rows, self._output), repeat_reject(rows, code, error, REJECT_MESSAGES[code]))

    def _too_many_failures_error(self, last_failure: RowsNotPredicted) -> RowsNotPredicted:
        """The error for a batch in which too many rows fail: the model is at fault, or a rule is missing."""
        error = RowsNotPredicted(
            f"{last_failure.found}; {self._failed:,} rows of a batch of {self._rows:,} failed alone"
            f" in {self._calls:,} calls, and the batch was given up",
            f"a model that fails on at most {max_failing_rows(self._rows):,} rows of such a batch",
            "exclude rows that it cannot predict with a row rule or a filter (source.where), or repair the model",
            raised=last_failure.raised,
        )
        error.__cause__ = last_failure.__cause__
        return error


def _drop_traceback(error: RowsNotPredicted) -> RowsNotPredicted:
    """The error without its traceback: frames hold what the model was given, and halves may need that memory."""
    return type(error)(error.found, error.expected, error.do, raised=error.raised)


def _concat_scored_batches(parts: Sequence[ScoredBatch]) -> ScoredBatch:
    predictions = pa.concat_arrays([part.predictions for part in parts])
    if all(part.rejects is None for part in parts):
        return ScoredBatch(predictions)
    rejects = [pa.nulls(len(part.predictions), REJECT_TYPE) if part.rejects is None else part.rejects for part in parts]
    return ScoredBatch(predictions, pa.concat_arrays(rejects))
