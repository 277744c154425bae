"""A model that hangs on some batch: no run waits for it for ever."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkscore import score
from sparkscore.errors import BatchTimeout, PredictError
from sparkscore.records import RunReport
from tests.model.host.node import eventually, runs
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

BAD = 23
"""The row that it hangs on."""


def hanging(value: float, pids: Path, *, keeps_lock: bool = False) -> Callable[[Any], Any]:
    """Half of x1; hangs on one value of it, and says in which process. Made here: executors cannot import tests."""

    def answer(frame: Any) -> Any:
        import ctypes
        import os

        if value in set(frame["x1"]):
            (pids / str(os.getpid())).touch()
            (ctypes.PyDLL if keeps_lock else ctypes.CDLL)(None).sleep(600)
        return frame["x1"] / 2

    return answer


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    """Where the model leaves the number of each process that it hangs in."""
    (tmp_path / "pids").mkdir()
    return tmp_path / "pids"


def run(world: World, folder: Path, answer: Callable[[Any], Any], **scoring: Any) -> RunReport:
    shelf = Shelf(folder)
    uri = shelf.put("hangs", Answers(answer), signature(columns(x1="double"), tensor("float64")))
    residency = scoring.pop("residency", "worker")
    settings = world.settings(
        model={"uri": uri, "tracking_uri": shelf.uri, "residency": residency},
        scoring={"batch_timeout": 2, "batch_rows": 6, "max_reject_ratio": 0.5} | scoring,
        output={"threshold": None},
    )
    return score(world.spark, settings, as_of=AS_OF)


def assert_gone(pids: Path) -> None:
    """No process that the model hung in is there any more."""
    hung = [int(file.name) for file in pids.iterdir()]
    assert hung
    assert os.getpid() not in hung
    assert eventually(lambda: not any(runs(pid) for pid in hung))


@pytest.mark.parametrize(
    ("transport", "where"),
    [
        ("scan", r"in partition \d: .*part-0000.*\.parquet from byte"),
        ("arrow", r"in partition \d\n"),
        ("pandas_udf", r"in partition \d\n"),
    ],
)
def test_in_a_worker_the_run_ends_with_the_splits_name_and_the_worker_is_gone(
    world: World, tmp_path: Path, pids: Path, transport: str, where: str
) -> None:
    answer = hanging(source_rows()["x1"][BAD].as_py(), pids)
    with pytest.raises(BatchTimeout, match=where) as caught:
        run(world, tmp_path, answer, transport=transport)
    assert caught.value.exit_code == 4
    assert "did not answer within 2 s for a batch of 6 rows" in caught.value.found
    assert len(list(pids.iterdir())) == 4  # as often as Spark tries a task
    assert_gone(pids)
    assert world.events() == ["started", "failed"]
    assert world.version() == -1


def test_a_model_that_keeps_pythons_lock_does_not_keep_the_run(world: World, tmp_path: Path, pids: Path) -> None:
    answer = hanging(source_rows()["x1"][BAD].as_py(), pids, keeps_lock=True)
    with pytest.raises(PredictError, match="a Python worker ended without an error message") as caught:
        run(world, tmp_path, answer)
    assert "batch_timeout" in caught.value.expected
    assert_gone(pids)
    assert world.version() == -1


@pytest.mark.parametrize("transport", [pytest.param("scan", marks=pytest.mark.smoke), "pandas_udf"])
def test_in_a_process_of_its_own_the_rows_of_the_batch_are_rejected_and_all_others_published(
    world: World, tmp_path: Path, pids: Path, transport: str
) -> None:
    rows = source_rows()
    report = run(world, tmp_path, hanging(rows["x1"][BAD].as_py(), pids), transport=transport, residency="executor")
    assert (report.status, report.rows_scored, report.rows_rejected) == ("published", 54, 6)
    rejects = world.table("predictions_rejects").collect()
    assert {(row["code"], row["error"]) for row in rejects} == {("batch_timeout", None)}
    assert f'{{"id":{BAD}}}' in {row["key"] for row in rejects}
    assert len(list(pids.iterdir())) == 2  # once, and once more in a new process
    assert_gone(pids)
    seen = world.predictions()
    np.testing.assert_array_equal(seen["prediction"], rows["x1"].to_numpy()[seen["id"]] / 2)
