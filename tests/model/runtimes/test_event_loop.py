"""Models whose `predict` is `async def`, in this process."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import BatchTimeout, PredictError, RowsNotPredicted
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import ModelInput, ScoredRows
from sparkscore.workloads.concurrency import gather_bounded

MODEL = ShippedModel("0" * 64, "", "pyfunc", (ModelInput("x", pa.float64(), True),), False, pa.float64())
ROWS = [pa.array([1.0, 2.0, 3.0])]


async def double(value: float) -> float:
    await asyncio.sleep(0)
    return value * 2


async def answer(frame: Any) -> ScoredRows:
    return ScoredRows(await gather_bounded(double, frame["x"], 2), counts={"requests": len(frame)})


def test_an_awaited_answer_is_an_answer() -> None:
    scored = build_local_scorer(MODEL, answer)(ROWS)
    assert (scored.predictions.to_pylist(), scored.counts) == ([2.0, 4.0, 6.0], {"requests": 3})


def test_all_batches_of_the_process_run_on_one_loop_at_the_same_time() -> None:
    loops: set[int] = set()
    together = threading.Barrier(4)
    arrived: list[asyncio.Event] = []  # one event, once for each

    async def meet(frame: Any) -> Any:
        loops.add(id(asyncio.get_running_loop()))
        arrived.append(arrived[0] if arrived else asyncio.Event())
        if len(arrived) == 4:
            arrived[0].set()
        await arrived[0].wait()
        return frame["x"]

    def score(_: int) -> list[float]:
        together.wait(30)
        return build_local_scorer(replace(MODEL, batch_timeout=60.0), meet)(ROWS).predictions.to_pylist()  # type: ignore[no-any-return]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(score, range(4))) == [[1.0, 2.0, 3.0]] * 4
    assert len(loops) == 1


def test_one_that_takes_too_long_is_cancelled_and_may_clean_up() -> None:
    cleaned = threading.Event()

    async def hang(frame: Any) -> Any:
        try:
            await asyncio.sleep(600)
        finally:
            cleaned.set()

    with pytest.raises(BatchTimeout, match=r"did not answer within 0\.2 s on a batch of 3 rows, and was cancelled"):
        build_local_scorer(replace(MODEL, batch_timeout=0.2), hang)(ROWS)
    assert cleaned.wait(30)
    assert build_local_scorer(MODEL, answer)(ROWS).predictions.to_pylist() == [2.0, 4.0, 6.0]


@pytest.mark.parametrize("error", [KeyError("own"), TimeoutError("own"), BatchTimeout("own"), asyncio.CancelledError()])
def test_what_it_raises_is_the_models_fault(error: BaseException) -> None:
    async def fail(frame: Any) -> Any:
        raise error

    with pytest.raises(RowsNotPredicted) as caught:
        build_local_scorer(replace(MODEL, batch_timeout=60.0), fail)(ROWS)
    assert caught.value.raised == type(error).__name__


@pytest.mark.parametrize("in_a_task_of_its_own", [False, True])
def test_one_that_would_end_the_process_ends_neither_it_nor_the_loop(*, in_a_task_of_its_own: bool) -> None:
    async def leave(frame: Any = None) -> Any:
        raise SystemExit(3)

    async def leave_in_task(frame: Any) -> Any:
        await asyncio.ensure_future(leave())

    with pytest.raises(PredictError, match="SystemExit"):
        build_local_scorer(MODEL, leave_in_task if in_a_task_of_its_own else leave)(ROWS)
    assert build_local_scorer(MODEL, answer)(ROWS).predictions.to_pylist() == [2.0, 4.0, 6.0]
