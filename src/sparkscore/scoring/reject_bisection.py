"""Bisects a batch on which the model raised: keeps the parts that it predicts; rows that fail alone become rejects.

Pure functions over a scorer. Wrong shapes and types of what a model returns are errors of the model, never of a row,
and pass through: a model that aggregates would look right on single rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.errors import BatchOutOfMemory, BatchTimeout, InputOutOfRange, RowsNotPredicted
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.schemas import REJECT_TYPE, repeat_reject

PREDICT_FAILED = "predict_failed"
BATCH_TIMEOUT = "batch_timeout"
NULL_PREDICTION = "null_prediction"
INPUT_OUT_OF_RANGE = "input_out_of_range"
OUT_OF_MEMORY = "out_of_memory"
REJECT_MESSAGES = {
    PREDICT_FAILED: "the model raised an error on this row alone",
    INPUT_OUT_OF_RANGE: "an input of this row is a number that the type in which the model computes cannot hold",
    OUT_OF_MEMORY: "memory ran out when the model predicted this row alone",
    BATCH_TIMEOUT: "the model did not answer in time for a batch with this row",
    NULL_PREDICTION: "the model's prediction, or a part of it that must be there, is NULL or NaN",
}
"""The message of a reject by its code: never the model's own message, which may hold values."""

_MIN_FAILURE_LIMIT = 8
_ROWS_PER_FAILURE = 100
_MAX_FAILURE_LIMIT = 256


def max_failing_rows(rows: int) -> int:
    """How many rows of a batch may fail alone: one in a hundred, but at least 8 and at most 256."""
    return max(_MIN_FAILURE_LIMIT, min(rows // _ROWS_PER_FAILURE, _MAX_FAILURE_LIMIT))


def max_model_calls(rows: int) -> int:
    """How often the model is called for a batch at most: enough for `max_failing_rows` rows, wherever they lie."""
    return 1 + 2 * (max_failing_rows(rows) + 1) * (rows - 1).bit_length()


@dataclass(slots=True)
class FailureBudget:
    """How many rows of a batch have failed alone so far, and in how many calls of the model, in all of its parts."""

    rows: int
    failed: int = 0
    calls: int = 0

    @property
    def has_calls(self) -> bool:
        """Whether the model may be called once more."""
        return self.calls < max_model_calls(self.rows)

    def count_failed_row(self, failure: RowsNotPredicted) -> None:
        """Count a row.

        Raises:  RowsNotPredicted where it is one too many.
        """
        self.failed += 1
        if self.failed > max_failing_rows(self.rows):
            raise self.make_error(failure)

    def make_error(self, last_failure: RowsNotPredicted) -> RowsNotPredicted:
        """The error for a batch in which too many rows fail: the model is at fault, or a rule is missing."""
        do = "exclude rows that it cannot predict with a row rule or a filter (source.where), or repair the model"
        error = RowsNotPredicted(
            f"{last_failure.found}; {self.failed:,} rows of a batch of {self.rows:,} failed alone"
            f" in {self.calls:,} calls, and the batch was given up",
            f"a model that fails on at most {max_failing_rows(self.rows):,} rows of such a batch",
            BatchOutOfMemory.remedy if isinstance(last_failure, BatchOutOfMemory) else do,
            raised=last_failure.raised,
        )
        error.__cause__ = last_failure.__cause__
        return error


def score_by_bisection(
    score: Scorer,
    columns: Sequence[pa.Array],
    output: pa.DataType,
    *,
    has_own_process: bool,
    budget: FailureBudget | None = None,
) -> ScoredBatch:
    """A prediction or a reject for each row. Where nothing fails it is one call and nothing more.

    `has_own_process`: whether the model is in a process of its own, which ends with a hang; then the rows of a
    part that it hangs on are rejected together: each look for the one at fault would cost a time-out.
    `budget`: of the batch of which these are some rows; None: they are all.

    Shapes:  n >= 1 rows -> n predictions; and n rejects, or none.
    Runs on: executor.
    Raises:  RowsNotPredicted where more than `max_failing_rows` rows fail alone, or after `max_model_calls`;
             BatchOutOfMemory for more than one row, of which fewer may fit; BatchTimeout; whatever else the scorer
             raises.
    """
    return _BatchBisection(
        score, columns, output, has_own_process=has_own_process, budget=budget or FailureBudget(len(columns[0]))
    ).score_rows()


class _BatchBisection:
    """A batch while it is looked through, from the first row to the last."""

    def __init__(
        self,
        score: Scorer,
        columns: Sequence[pa.Array],
        output: pa.DataType,
        *,
        has_own_process: bool,
        budget: FailureBudget,
    ) -> None:
        self._score, self._columns, self._output, self._has_own_process = score, columns, output, has_own_process
        self._rows, self._budget = len(columns[0]), budget

    def score_rows(self) -> ScoredBatch:
        result = self._try_part(self._columns)
        if isinstance(result, ScoredBatch):
            return result
        if isinstance(result, BatchOutOfMemory) and self._rows > 1:
            raise result
        self._budget.calls += 1
        return concat_scored_batches(list(self._bisect_part(0, self._rows, result)))

    def _bisect_part(self, start: int, rows: int, failure: RowsNotPredicted) -> Iterator[ScoredBatch]:
        """The outcome of a part that failed."""
        if rows == 1:
            self._budget.count_failed_row(failure)
            yield self._reject_rows(1, _reject_code(failure), failure.raised or None)
            return
        half = rows // 2
        for first, length in ((start, half), (start + half, rows - half)):
            if not self._budget.has_calls:
                raise self._budget.make_error(failure)
            self._budget.calls += 1
            part = self._try_part([column.slice(first, length) for column in self._columns])
            if isinstance(part, ScoredBatch):
                yield part
            else:
                yield from self._bisect_part(first, length, part)

    def _try_part(self, columns: Sequence[pa.Array]) -> ScoredBatch | RowsNotPredicted:
        try:
            return self._score(columns)
        except BatchTimeout:
            if not self._has_own_process:
                raise
            return self._reject_rows(len(columns[0]), BATCH_TIMEOUT, None)
        except RowsNotPredicted as error:
            return error if len(columns[0]) == 1 else drop_traceback(error)

    def _reject_rows(self, rows: int, code: str, error: str | None) -> ScoredBatch:
        rejects = repeat_reject(rows, code, error, REJECT_MESSAGES[code])
        return ScoredBatch(pa.nulls(rows, self._output), rejects, is_one_answer=False)


def _reject_code(failure: RowsNotPredicted) -> str:
    if isinstance(failure, BatchOutOfMemory):
        return OUT_OF_MEMORY
    return INPUT_OUT_OF_RANGE if isinstance(failure, InputOutOfRange) else PREDICT_FAILED


def drop_traceback(error: RowsNotPredicted) -> RowsNotPredicted:
    """The error without its traceback: frames hold what the model was given, and halves may need that memory."""
    return type(error)(error.found, error.expected, error.do, raised=error.raised)


def concat_scored_batches(parts: Sequence[ScoredBatch]) -> ScoredBatch:
    """The parts as one, in their order, without their counts.

    Needs:   one at least.
    """
    if len(parts) == 1:
        return parts[0]
    predictions = pa.concat_arrays([part.predictions for part in parts])
    if all(part.rejects is None for part in parts):
        return ScoredBatch(predictions, is_one_answer=False)
    rejects = [pa.nulls(len(part.predictions), REJECT_TYPE) if part.rejects is None else part.rejects for part in parts]
    return ScoredBatch(predictions, pa.concat_arrays(rejects), is_one_answer=False)
