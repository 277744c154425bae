"""Dask runs the tasks: a partition each, by `map_partitions`, on workers of one thread."""

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from sparkscore.engines.dask_connection import join_dask_cluster, start_dask_cluster
from sparkscore.engines.dask_upload import build_archive_upload
from sparkscore.engines.task_envelope import (
    TASK_TRIES,
    TaskEnvelope,
    TaskResult,
    encode_parts,
    engine_error,
    open_results,
    seal_task,
)
from sparkscore.engines.worker_context import ModelArchive
from sparkscore.errors import PredictError, TemporaryError
from sparkscore.records import EngineOptions, StageTask

_TICK_S = 0.5
_NO_WORKERS_S = 120.0


@dataclass(frozen=True, slots=True)
class DaskEngine:
    """Tasks on a cluster of Dask. A worker keeps its models: the next job finds them."""

    client: Any
    archives: tuple[ModelArchive, ...]
    slots: int
    name: str = "dask"
    keeps_workers: bool = True

    def run_tasks(self, task: StageTask, parts: Sequence[pa.RecordBatch]) -> Generator[list[bytes], None, None]:
        """Run the task for each batch of parts, as `ScoringEngine` has it.

        Jobs:    none of Spark.
        """
        import dask
        import dask.bag

        envelope = dask.delayed(seal_task(task, self.archives, cores=1), pure=False, traverse=False)
        bag = dask.bag.from_sequence([*enumerate(map(encode_parts, parts))], npartitions=len(parts))
        scored = bag.map_partitions(_run_partition, envelope)
        futures = self.client.compute(scored.to_delayed(), retries=TASK_TRIES - 1)
        pending, alive_s = set(futures), time.monotonic()
        try:
            while pending:
                with _name_lost_scheduler(self.client):
                    alive_s = _require_workers(self.client, alive_s)
                    done = self._await_some(pending)
                pending -= done
                yield from open_results(result for future in done for result in _take_results(future))
        finally:
            with suppress(OSError):  # of a scheduler that is gone: nothing of it runs
                self.client.cancel([*pending])

    def _await_some(self, pending: set[Any]) -> set[Any]:
        from distributed import wait

        try:
            with self.client.as_current():  # it is nobody's default
                done: set[Any] = wait(pending, timeout=_TICK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return set()
        return done


@contextmanager
def _name_lost_scheduler(client: Any) -> Iterator[None]:
    """Raises:  TemporaryError where the scheduler does not answer any more."""
    try:
        yield
        if client.status not in ("running", "connecting"):
            raise OSError(f"the client is {client.status}")
    except (OSError, CancelledError) as error:
        raise _lost_scheduler_error(error) from error


def _lost_scheduler_error(error: BaseException) -> TemporaryError:
    told = str(error).partition("\n")[0]
    return TemporaryError(
        f"the scheduler of Dask does not answer any more: {told:.200}",
        "a scheduler that runs as long as the run lasts",
        "see its log, and run it again: it continues from the chunks that were kept",
    )


def _require_workers(client: Any, alive_s: float) -> float:
    """When there was a worker last, by the monotonic clock: tasks of a cluster without any would wait for ever.

    Raises:  TemporaryError.
    """
    now = time.monotonic()
    if client.scheduler_info(n_workers=1)["workers"]:
        return now
    if now - alive_s > _NO_WORKERS_S:
        raise TemporaryError(
            f"the cluster of Dask has had no worker for {_NO_WORKERS_S:.0f} s",
            "workers that are started again where they end",
            "see the workers' logs, and run it again: it continues from the chunks that were kept",
        )
    return alive_s


def _run_partition(parts: Sequence[tuple[int, bytes]], envelope: TaskEnvelope) -> list[TaskResult]:
    """Runs on: a worker of Dask."""
    return [envelope.run(number, content) for number, content in parts]


def _take_results(future: Any) -> list[TaskResult | Exception]:
    """What the task of a future has told, or the error that it has ended with."""
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):  # of a scheduler that was started again
        return [_lost_scheduler_error(CancelledError("it has forgotten a task"))]
    error: Exception | None = future.exception()
    if error is None:
        return list(future.result())
    if isinstance(error, KilledWorker):
        return [
            PredictError(
                f"the worker of a task of Dask ended each time that it was tried ({error.last_worker.address})",
                "workers that keep running: one ends if it runs out of memory, or if the model crashes it",
                "see the workers' logs; use smaller batches (scoring.batch_rows), or model.residency: executor",
            )
        ]
    return [engine_error(f"{error.__cause__ or ''}\n{error}")]


@contextmanager
def open_dask_engine(options: EngineOptions, archives: Sequence[Path]) -> Iterator[DaskEngine]:
    """Dask at an address, or on this machine as long as the block lasts.

    Runs on: driver.
    Raises:  ModuleNotFoundError without the extra dask; ConfigError for workers that run tasks in several threads, in
             this process, or with other code; TemporaryError where nobody answers at the address.
    """
    with ExitStack() as stack:
        shipped = tuple(ModelArchive(str(path)) for path in archives)
        if options.address is None:
            client = start_dask_cluster(options, stack)
        else:
            client = stack.enter_context(join_dask_cluster(options.address))
            shipped = stack.enter_context(_upload_archives(client, archives))
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        yield DaskEngine(client, shipped, min(workers, options.workers or workers))


@contextmanager
def _upload_archives(client: Any, archives: Sequence[Path]) -> Iterator[tuple[ModelArchive, ...]]:
    """The archives on all workers, for the block."""
    name = f"sparkscore-{uuid.uuid4().hex}"
    contents = {path.name: path.read_bytes() for path in archives}
    client.register_plugin(build_archive_upload(name, contents), name=name)
    try:
        yield tuple(ModelArchive(str(path), partial(_find_uploaded, name, path.name)) for path in archives)
    finally:
        with suppress(OSError, ValueError):  # of a scheduler that is gone, or was started again
            client.unregister_worker_plugin(name)


def _find_uploaded(folder: str, name: str) -> Path:
    """Runs on: a worker of Dask."""
    from distributed import get_worker

    return Path(get_worker().local_directory, folder, name)
