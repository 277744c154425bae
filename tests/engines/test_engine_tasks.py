"""Ray and Dask themselves, without Spark: tasks come back once, whatever becomes of the processes that run them."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from sparkscore.engines.engine_opening import open_engine
from sparkscore.errors import EngineTaskError, PredictError
from sparkscore.records import EngineOptions, ScoringEngine
from sparkscore.scoring.task_errors import recover_task_error
from tests.engines.tasks import SECRET, ScriptedTask

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's and Dask's own, of what they do themselves


@pytest.fixture(scope="module", params=["dask", "ray"])
def opened(request: pytest.FixtureRequest) -> Iterator[ScoringEngine]:
    """The engine with two workers on this machine."""
    if request.param == "ray":
        request.getfixturevalue("running_ray")
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[request.param], reason="ci/integration.sh engines has it")
    with open_engine(request.param, EngineOptions(workers=2, cores=2), ()) as engine:
        yield engine


@pytest.fixture
def task(tmp_path: Path) -> ScriptedTask:
    return ScriptedTask(str(tmp_path))


def run(engine: ScoringEngine, task: ScriptedTask, *tasks: Sequence[str]) -> list[tuple[str, int]]:
    """The parts that were reported, each with its process."""
    batches = [pa.record_batch([pa.array([part.encode() for part in one], pa.binary())], ["part"]) for one in tasks]
    found = [report.decode() for reports in engine.run_tasks(task, batches) for report in reports]
    return sorted((one.rpartition(" ")[0], int(one.rpartition(" ")[2])) for one in found)


def test_each_part_is_reported_once_by_no_more_processes_than_there_are_workers(
    opened: ScoringEngine, task: ScriptedTask
) -> None:
    found = run(opened, task, ["a", "b"], ["c"], ["d"], [])
    assert [part for part, _ in found] == ["a", "b", "c", "d"]
    assert 1 <= len({process for _, process in found}) <= opened.slots == 2


def test_workers_that_are_kept_are_there_for_the_next_job(opened: ScoringEngine, task: ScriptedTask) -> None:
    if not opened.keeps_workers:
        pytest.skip("Ray's actors end with their job")
    processes = {process for part in "abcd" for _, process in run(opened, task, [part])}
    assert len(processes) <= 2


def test_a_task_whose_worker_is_killed_is_tried_again_and_reported_once(
    opened: ScoringEngine, task: ScriptedTask
) -> None:
    found = run(opened, task, ["a", "die once", "b"], ["c"])
    assert [part for part, _ in found] == ["a", "b", "c", "die once"]
    assert task.tries("die once") == 2


def test_a_task_that_kills_each_worker_ends_the_job(opened: ScoringEngine, task: ScriptedTask) -> None:
    with pytest.raises(PredictError, match="ended each time that it was tried") as raised:
        run(opened, task, ["die"])
    assert raised.value.exit_code == 4
    assert task.tries("die") == 4


def test_an_error_of_the_suite_is_brought_back_signed_and_tried_once(opened: ScoringEngine, task: ScriptedTask) -> None:
    with pytest.raises(EngineTaskError) as raised:
        run(opened, task, ["raise"])
    assert isinstance(recover_task_error(raised.value, SECRET), PredictError)
    assert task.tries("raise") == 1


def test_another_error_is_tried_again(opened: ScoringEngine, task: ScriptedTask) -> None:
    assert [part for part, _ in run(opened, task, ["stumble once"])] == ["stumble once"]
    assert task.tries("stumble once") == 2


def test_an_error_that_stays_is_brought_back_after_four_tries(opened: ScoringEngine, task: ScriptedTask) -> None:
    with pytest.raises(EngineTaskError, match="OSError: a disk"):
        run(opened, task, ["stumble"])
    assert task.tries("stumble") == 4


def test_a_job_that_is_left_early_starts_nothing_more(opened: ScoringEngine, task: ScriptedTask) -> None:
    batches = [pa.record_batch([pa.array([part], pa.binary())], ["part"]) for part in (b"a", b"hold", b"b")]
    with closing(opened.run_tasks(task, batches)) as running:
        for reports in running:
            if reports:
                break
        Path(task.folder, "go").touch()
    assert run(opened, task, ["after"])[0][0] == "after"
