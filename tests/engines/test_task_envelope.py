"""A task on its way to a worker of another engine: what it shows, what comes back, and what the worker looks like."""

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark import SparkFiles, TaskContext

from sparkscore.engines import worker_context
from sparkscore.engines.task_envelope import (
    TaskEnvelope,
    TaskResult,
    encode_parts,
    engine_error,
    open_result,
    open_results,
    seal_task,
)
from sparkscore.engines.worker_context import ModelArchive, TaskPlace, enter_task, keep_archive
from sparkscore.errors import ConfigError, EngineTaskError, PredictError
from sparkscore.model.host.resident_model import task_gpu_address
from sparkscore.scoring.part_reports import REPORT_SCHEMA
from sparkscore.scoring.task_errors import mark_task_errors, recover_task_error

SECRET = "of the attempt"


@dataclass(frozen=True)
class Task:
    """Reports the bytes of its parts, or raises."""

    error: Exception | None = None

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with mark_task_errors(SECRET):
            for batch in batches:
                if self.error is not None:
                    raise self.error
                yield pa.record_batch(
                    [
                        batch.column(0),
                    ],
                    schema=REPORT_SCHEMA,
                )


@dataclass(frozen=True)
class Overlap:
    """Fails where another task of the process runs meanwhile."""

    folder: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        mark = Path(self.folder, "running")
        mark.touch(exist_ok=False)
        time.sleep(0.2)
        yield from batches
        mark.unlink()


@pytest.fixture(autouse=True)
def spark_as_it_was() -> Iterator[None]:
    """This process is the driver's, too: no test leaves it as a worker."""
    folder, is_worker, context = SparkFiles._root_directory, SparkFiles._is_running_on_worker, TaskContext._taskContext
    TaskContext._taskContext = None
    yield
    SparkFiles._root_directory, SparkFiles._is_running_on_worker = folder, is_worker
    TaskContext._taskContext = context


def parts(*contents: bytes | None) -> bytes:
    return encode_parts(pa.record_batch([pa.array(contents, pa.binary())], schema=REPORT_SCHEMA))


def run(task: Task, *, envelope: TaskEnvelope | None = None) -> TaskResult:
    return (envelope or seal_task(task, (), cores=1)).run(3, parts(b"one", None, b"two"))


def test_reports_come_back_without_those_that_are_none() -> None:
    assert open_result(run(Task())) == [b"one", b"two"]


def test_an_error_of_the_suite_comes_back_as_what_it_is_and_nothing_is_tried_again() -> None:
    result = run(Task(PredictError("the model raised something")))
    with pytest.raises(EngineTaskError) as raised:
        open_result(result)
    found = recover_task_error(raised.value, SECRET)
    assert isinstance(found, PredictError)
    assert found.found == "the model raised something"
    assert recover_task_error(raised.value, "of another attempt") is None


def test_what_others_have_done_is_there_before_the_error_of_one() -> None:
    results = open_results([TaskResult((b"a",)), TaskResult(failure="a traceback"), TaskResult((b"b",))])
    assert next(results) == [b"a", b"b"]
    with pytest.raises(EngineTaskError, match="a traceback"):
        next(results)


def test_another_error_is_left_to_the_engine_which_tries_again() -> None:
    with pytest.raises(RuntimeError, match="OSError: a disk"):
        run(Task(OSError("a disk")))


def test_an_envelope_shows_nothing_of_what_it_holds() -> None:
    envelope = seal_task(Task(PredictError(SECRET)), (ModelArchive("/secret/place"),), cores=1)
    assert SECRET in str(pickle.loads(envelope.content).error)
    assert SECRET not in repr(envelope)
    assert "secret" not in repr(envelope)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"release": "9.9"}, "sparkscore .*, and the driver 9.9"), ({"python": (3, 1)}, "Python .*, and the driver 3.1")],
)
def test_a_worker_with_other_code_than_the_driver_is_refused(change: dict[str, object], told: str) -> None:
    other = replace(seal_task(Task(), (), cores=1), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=told):
        open_result(run(Task(), envelope=other))


def test_in_a_worker_the_code_of_tasks_finds_what_spark_tells_it(tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    archive.write_bytes(b"zip")
    enter_task(TaskPlace(7, 2, has_gpu=True), (ModelArchive(str(archive)),))
    task = TaskContext.get()
    assert task is not None
    assert (task.partitionId(), task.cpus(), task_gpu_address()) == (7, 2, "0")
    assert SparkFiles.getRootDirectory() == str(tmp_path)
    enter_task(TaskPlace(8, 1, has_gpu=False), (ModelArchive(str(archive)),))
    assert task_gpu_address() is None


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where processes keep archives: nothing but theirs lies there."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    worker_context._remove_kept()


def test_an_archive_of_another_machine_is_fetched_once_per_process_whatever_the_run(kept: Path) -> None:
    fetched = []

    def fetch() -> bytes:
        fetched.append(1)
        return b"zip"

    for number in range(2):  # each run has a folder of its own on the driver
        place = str(kept / f"run-{number}" / "model.zip")
        archive = ModelArchive(place, lambda: keep_archive("model.zip", fetch))
        enter_task(TaskPlace(number, 1, has_gpu=False), (archive,))
        assert Path(SparkFiles.getRootDirectory(), "model.zip").read_bytes() == b"zip"
    assert len(fetched) == 1


def test_a_process_keeps_the_archive_of_one_model(kept: Path) -> None:
    first = keep_archive("first.zip", lambda: b"1")
    assert keep_archive("second.zip", lambda: b"2").read_bytes() == b"2"
    assert not first.parent.exists()
    assert len([*kept.iterdir()]) == 1


def test_what_a_killed_worker_has_left_the_next_one_removes(kept: Path) -> None:
    code = f"""
import os, signal, tempfile
tempfile.tempdir = {str(kept)!r}
from sparkscore.engines.worker_context import keep_archive
print(keep_archive("model.zip", lambda: b"zip"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.exists()
    mine = keep_archive("other.zip", lambda: b"zip")
    assert not left.exists()
    running = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert Path(running.stdout.strip()).exists()
    assert mine.exists()  # it is in use: by this process


def test_a_process_runs_one_task_at_a_time_whatever_its_threads(tmp_path: Path) -> None:
    envelope = seal_task(Overlap(str(tmp_path)), (), cores=1)
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(lambda _: envelope.run(0, parts(b"one")), range(2))]
    assert [open_result(one) for one in results] == [[b"one"], [b"one"]]


def test_a_package_that_workers_lack_is_told_as_theirs() -> None:
    found = engine_error("ray::_StageActor() ...\nModuleNotFoundError: No module named 'pyspark'")
    assert isinstance(found, ConfigError)
    assert found.found == "a worker has no module pyspark"
    assert isinstance(engine_error("No module named 'lightgbm'"), EngineTaskError)


def test_what_leaves_a_worker_holds_no_secret() -> None:
    with pytest.raises(RuntimeError) as raised:
        run(Task(OSError("https://me:s3cret-Passw0rd@store/model")))
    assert "s3cret-Passw0rd" not in str(raised.value)


def test_what_a_worker_imports_to_run_a_task_holds_no_settings() -> None:
    code = "import sys, sparkscore.engines.task_envelope; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pydantic", "mlflow", "ray", "dask", "structlog"} & set(done.stdout.split()) == set()
