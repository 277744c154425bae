"""A task on its way to a worker of another engine, and what comes back of it."""

import pickle
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa

from sparkscore.engines.worker_context import ModelArchive, TaskPlace, enter_task
from sparkscore.errors import ConfigError, EngineTaskError, SparkscoreError
from sparkscore.records import StageTask
from sparkscore.redaction.exception_redaction import redact_exception

_RELEASE = str(import_module("sparkscore").__version__)  # by name: its lazy imports are those of all layers
TASK_TRIES = 4
"""Of a task, as Spark has it (spark.task.maxFailures)."""
OWN_CODE = (_RELEASE, sys.version_info[:2])
"""The versions of the suite and of Python in this process."""
_MISSING_MODULE = re.compile(r"No module named '?((?:sparkscore|pyspark|pyarrow|pandas|numpy)[\w.]*)")
"""What every worker has to have: a package that the model lacks is told by an error of the suite."""
_ONE_TASK = Lock()
"""What a task is, is told by globals of its process; workers that were added later may have several threads."""


class TaskResult(NamedTuple):
    """What a task has reported, or why it has not."""

    reports: tuple[bytes, ...] = ()
    failure: str | None = None
    """The traceback of an error of the suite, with the signed line by which the driver knows it."""
    refusal: str | None = None
    """Why the worker cannot run tasks of this driver."""


@dataclass(frozen=True, slots=True)
class TaskEnvelope:
    """The task of a job, for each of its lists of parts. Shows nothing of what it holds: engines log arguments."""

    content: bytes = field(repr=False)
    archives: tuple[ModelArchive, ...] = field(repr=False)
    cores: int = 1
    has_gpu: bool = False
    release: str = _RELEASE
    python: tuple[int, int] = sys.version_info[:2]

    def run(self, number: int, parts: bytes) -> TaskResult:
        """Run the task for one list of parts, the given one of the job.

        Runs on: a worker of the engine.
        Raises:  RuntimeError with the traceback of what may go well when it is tried again: the engine does that.
        """
        refusal = _find_other_code(self.release, self.python)
        if refusal is not None:
            return TaskResult(refusal=refusal)
        try:
            with _ONE_TASK:
                enter_task(TaskPlace(number, self.cores, self.has_gpu), self.archives)
                task: StageTask = pickle.loads(self.content)  # noqa: S301  the driver's own
                rows = [row for batch in task(iter(_decode_parts(parts))) for row in batch.column(0).to_pylist()]
        except SparkscoreError as error:
            return TaskResult(failure=_format_error(error))
        except Exception as error:  # noqa: BLE001  whatever it is, it leaves as text
            raise RuntimeError(_format_error(error)) from None  # engines log it
        return TaskResult(tuple(row for row in rows if row is not None))


def require_same_code(release: str, python: tuple[int, int]) -> None:
    """Refuse to run tasks of a driver with another version of the suite or of Python: those of `OWN_CODE` there.

    Runs on: a process of the engine.
    Raises:  ValueError with what differs.
    """
    refusal = _find_other_code(release, python)
    if refusal is not None:
        raise ValueError(refusal)


def report_nothing(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A task that does nothing: whether it ends well says whether tasks can run.

    Runs on: a worker of the engine.
    """
    del parts
    yield from ()


def _find_other_code(release: str, python: tuple[int, int]) -> str | None:
    """Tasks are pickled code: both sides have to have the same."""
    if release != _RELEASE:
        return f"a worker has sparkscore {_RELEASE}, and the driver {release}"
    here = sys.version_info[:2]
    if python != here:
        return f"a worker runs Python {here[0]}.{here[1]}, and the driver {python[0]}.{python[1]}"
    return None


def seal_task(task: StageTask, archives: Sequence[ModelArchive], *, cores: int, has_gpu: bool = False) -> TaskEnvelope:
    """The task, pickled once for all workers. Runs on: driver."""
    from pyspark.serializers import CloudPickleSerializer

    pickler: Any = CloudPickleSerializer()
    content: bytes = pickler.dumps(task)
    return TaskEnvelope(content, tuple(archives), cores, has_gpu)


def encode_parts(parts: pa.RecordBatch) -> bytes:
    """A list of parts as bytes of Arrow. Runs on: driver."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, parts.schema) as stream:
        stream.write_batch(parts)
    return bytes(sink.getvalue())


def open_result(result: TaskResult | Exception) -> list[bytes]:
    """The reports of a task that has ended well.

    Runs on: driver.
    Raises:  EngineTaskError, ConfigError, or the error that it is.
    """
    if isinstance(result, Exception):
        raise result
    if result.refusal is not None:
        raise _unlike_driver_error(result.refusal)
    if result.failure is not None:
        raise EngineTaskError(result.failure)
    return list(result.reports)


def engine_error(text: str) -> ConfigError | EngineTaskError:
    """What an engine says of a task that it could not run.

    Runs on: driver.
    """
    missing = _MISSING_MODULE.search(text)
    return EngineTaskError(text) if missing is None else _unlike_driver_error(f"a worker has no module {missing[1]}")


def _unlike_driver_error(found: str) -> ConfigError:
    return ConfigError(
        found,
        "workers with the driver's Python and packages",
        "start the engine's processes, its scheduler too, from the same environment as the driver",
    )


def open_results(results: Iterable[TaskResult | Exception]) -> Iterator[list[bytes]]:
    """The reports of all that have ended well; what one of the others was in the way of comes after them.

    Runs on: driver.
    Raises:  as `open_result`.
    """
    reports, first = list[bytes](), list[Exception]()
    for result in results:
        try:
            reports += open_result(result)
        except Exception as error:  # noqa: BLE001  raised below: what others have done is kept
            first.append(error)
    yield reports
    if first:
        raise first[0]


def _decode_parts(parts: bytes) -> list[pa.RecordBatch]:
    with pa.ipc.open_stream(parts) as stream:
        return list(stream)


def _format_error(error: BaseException) -> str:
    """Its traceback, without secrets."""
    redact_exception(error)
    return "".join(traceback.format_exception(error))
