"""A model in this very process that may take so long for a batch. Where it hangs, another process has to end for it."""

import faulthandler
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest

from sparkscore.errors import BatchTimeout, RowsNotPredicted
from sparkscore.model.runtimes import batch_timeout
from sparkscore.model.runtimes.batch_timeout import limit_batch_time
from sparkscore.model.runtimes.scored_batch import ScoredBatch

ROW = [pa.array([3.0])]


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here a process that hangs is not to end: it runs the tests."""
    monkeypatch.setattr(batch_timeout, "_batch_threads", [])
    monkeypatch.setattr(batch_timeout, "limit_threads", lambda _: None)
    yield
    faulthandler.cancel_dump_traceback_later()


def test_answers_and_errors_pass_as_they_are() -> None:
    def raising(columns: Sequence[pa.Array]) -> ScoredBatch:
        raise RowsNotPredicted("broke", raised="TimeoutError")

    assert (
        limit_batch_time(lambda columns: ScoredBatch(columns[0]), 120, cores=1, location="here")(ROW).predictions
        is ROW[0]
    )
    with pytest.raises(RowsNotPredicted, match="broke"):
        limit_batch_time(raising, 120, cores=1, location="here")(ROW)


def test_a_time_out_of_the_models_own_is_no_batch_timeout() -> None:
    def raising(columns: Sequence[pa.Array]) -> ScoredBatch:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        limit_batch_time(raising, 120, cores=1, location="here")(ROW)


def test_all_batches_are_scored_by_one_thread() -> None:
    seen = set()

    def score(columns: Sequence[pa.Array]) -> ScoredBatch:
        seen.add(threading.current_thread().name)
        return ScoredBatch(columns[0])

    for _ in range(3):
        limit_batch_time(score, 120, cores=1, location="here")(ROW)
    assert seen == {"sparkscore-model"}
    assert len(batch_timeout._batch_threads) == 1


def test_a_batch_that_takes_longer_is_told_with_where_it_was_and_the_next_is_not_queued_behind_it() -> None:
    go_on = threading.Event()

    def score(columns: Sequence[pa.Array]) -> ScoredBatch:
        if len(columns[0]) == 2:
            go_on.wait(120)
        return ScoredBatch(columns[0])

    try:
        with pytest.raises(BatchTimeout, match=r"within 0\.1 s for a batch of 2 rows in partition 7"):
            limit_batch_time(score, 0.1, cores=1, location="partition 7")([pa.array([1.0, 2.0])])
        assert limit_batch_time(score, 120, cores=1, location="here")(ROW).predictions is ROW[0]
    finally:
        go_on.set()


@pytest.mark.parametrize(("call", "code"), [("PyDLL", 1), ("CDLL", 3)])
def test_a_model_that_keeps_pythons_lock_ends_the_process_by_a_watchdog_and_no_other_does(call: str, code: int) -> None:
    work = f"""
        import ctypes, sys, os
        import pyarrow as pa
        from sparkscore.errors import BatchTimeout
        from sparkscore.model.runtimes.batch_timeout import limit_batch_time

        def score(columns):
            ctypes.{call}(None).sleep(60)

        try:
            limit_batch_time(score, 0.5, cores=1, location="here")([pa.array([1.0])])
        except BatchTimeout:
            os._exit(3)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(work)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("in score" in done.stderr) == (code == 1)  # where it hangs
