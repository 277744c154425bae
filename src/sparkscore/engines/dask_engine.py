"""Dask runs the tasks: a partition each, by `map_partitions`, on workers of one thread."""

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from sparkscore.engines.task_envelope import TaskEnvelope, TaskResult, encode_parts, open_results, seal_task
from sparkscore.engines.worker_context import ModelArchive
from sparkscore.errors import ConfigError, EngineTaskError, PredictError, TemporaryError
from sparkscore.records import EngineOptions, StageTask

_TRIES = 4
"""Of a task, as Spark has it (spark.task.maxFailures)."""
_TICK_S = 0.5
_NO_WORKERS_S = 120.0
_CONNECT_TIMEOUT_S = 30


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
        from distributed import wait

        envelope = dask.delayed(seal_task(task, self.archives, cores=1), pure=False, traverse=False)
        bag = dask.bag.from_sequence([*enumerate(map(encode_parts, parts))], npartitions=len(parts))
        scored = bag.map_partitions(_run_partition, envelope)
        futures = self.client.compute(scored.to_delayed(), retries=_TRIES - 1)
        pending, alive_s = set(futures), time.monotonic()
        try:
            while pending:
                alive_s = _require_workers(self.client, alive_s)
                try:
                    with self.client.as_current():  # it is nobody's default
                        done = wait(pending, timeout=_TICK_S, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    done = set()
                pending -= done
                yield from open_results(result for future in done for result in _take_results(future))
        finally:
            self.client.cancel([*pending])


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
    return [EngineTaskError(str(error))]


@contextmanager
def open_dask_engine(options: EngineOptions, archives: Sequence[Path]) -> Iterator[DaskEngine]:
    """Dask at an address, or on this machine as long as the block lasts.

    Runs on: driver.
    Raises:  ModuleNotFoundError without the extra dask; ConfigError for workers that run tasks in several threads, or
             in this process; TemporaryError where nobody answers at the address.
    """
    with _connect_client(options) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        _check_workers(workers)
        slots = min(len(workers), options.workers or len(workers))
        shipped = tuple(ModelArchive(str(path)) for path in archives)
        if options.address is not None:
            for path in archives:
                client.upload_file(str(path), load=False)
            shipped = tuple(ModelArchive(str(path), partial(_read_uploaded, path.name)) for path in archives)
        yield DaskEngine(client, shipped, slots)


@contextmanager
def _connect_client(options: EngineOptions) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    if options.address is not None:
        try:
            client = Client(options.address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise TemporaryError(
                f"no scheduler of Dask answers at {options.address}",
                "engine.address of a running scheduler",
                "start it (dask scheduler), correct the address, or leave engine.address out for one on this machine",
            ) from error
        with client:
            yield client
        return
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": _TRIES - 1}),
        LocalCluster(
            n_workers=options.workers or options.cores,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.ERROR,  # a worker that ends is told by what becomes of its task
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(options.workers or options.cores)
        yield client


def _check_workers(workers: dict[str, Any]) -> None:
    """What a task is, is told by globals of its process."""
    if not workers:
        raise TemporaryError("the cluster of Dask has no workers", "one at least", "start some: dask worker")
    if any(address.startswith("inproc://") for address in workers):
        raise ConfigError(
            "the workers of Dask are threads of this process",
            "workers that are processes of their own, with one thread each",
            "start the cluster with processes=True, or leave engine.address out",
        )
    most = max(int(one["nthreads"]) for one in workers.values())
    if most > 1:
        raise ConfigError(
            f"a worker of Dask runs {most} tasks at once, in threads",
            "workers with one thread each: a model is resident in a process, and has it to itself",
            "start them with more processes instead: dask worker --nworkers N --nthreads 1",
        )


def _read_uploaded(name: str) -> bytes:
    """Runs on: a worker of Dask."""
    from distributed import get_worker

    return Path(get_worker().local_directory, name).read_bytes()
