"""Ray Data runs the tasks: `map_batches` with a pool of actors, each of which has the model."""

import inspect
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from sparkscore.engines.ray_connection import SHARED_RAY
from sparkscore.engines.result_thread import ResultThread
from sparkscore.engines.task_envelope import (
    TASK_TRIES,
    TaskEnvelope,
    TaskResult,
    encode_parts,
    engine_error,
    open_results,
    seal_task,
)
from sparkscore.engines.worker_context import ModelArchive, keep_archive
from sparkscore.errors import ConfigError, PredictError
from sparkscore.records import EngineOptions, StageTask

_STOP_TIMEOUT_S = 60.0
_SHOWN_NODES = 8
_RESULT_SCHEMA = pa.schema([("reports", pa.list_(pa.binary())), ("failure", pa.string()), ("refusal", pa.string())])


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Tasks in actors of Ray Data. They end with the job that they were started for."""

    options: EngineOptions
    archives: tuple[ModelArchive, ...]
    slots: int
    is_own: bool
    """Whether this process has started Ray for this run."""
    name: str = "ray"
    keeps_workers: bool = False

    def run_tasks(self, task: StageTask, parts: Sequence[pa.RecordBatch]) -> Generator[list[bytes], None, None]:
        """Run the task for each batch of parts, as `ScoringEngine` has it.

        Jobs:    none of Spark.
        """
        dataset = self._plan_dataset(task, parts)
        results = ResultThread(partial(_iterate_results, dataset), name="sparkscore-ray")
        try:
            for ended in results.ticks():
                yield from open_results(ended)
        finally:
            # what this process has started ends with the block; nobody waits for actors that have not come up
            results.stop(partial(_stop_dataset, dataset), seconds=0.0 if self.is_own else _STOP_TIMEOUT_S)

    def _plan_dataset(self, task: StageTask, parts: Sequence[pa.RecordBatch]) -> Any:
        import ray.data

        options = self.options
        envelope = seal_task(
            task, self.archives, cores=max(1, int(options.worker_cpus)), has_gpu=options.worker_gpus > 0
        )
        # one block per task: Ray gives an actor one after the other. `from_arrow` would let tasks look at the blocks,
        # and wait for them here, without an end where all CPUs are busy
        tasks = ray.data.from_items(
            [{"number": number, "parts": encode_parts(one)} for number, one in enumerate(parts)],
            override_num_blocks=len(parts),
        )
        tasks.context.actor_task_retry_on_errors = True
        tasks.context.enable_progress_bars = False
        actors = min(self.slots, len(parts))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what will have another name one day
            return tasks.map_batches(
                _StageActor,
                fn_constructor_args=(envelope,),
                batch_size=1,  # a task; with GPUs Ray wants it said
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
                num_cpus=options.worker_cpus,
                num_gpus=options.worker_gpus or None,
                max_restarts=TASK_TRIES - 1,  # Ray's own default has no end, and a model that crashes has none either
                max_task_retries=TASK_TRIES - 1,
            )


class _StageActor:
    """Runs on: an actor of Ray, which has a process of its own."""

    def __init__(self, envelope: TaskEnvelope) -> None:
        self._envelope = envelope

    def __call__(self, batch: pa.Table) -> pa.Table:
        results = [self._envelope.run(row["number"], row["parts"]) for row in batch.to_pylist()]
        return pa.Table.from_pylist([one._asdict() for one in results], _RESULT_SCHEMA)


def _iterate_results(dataset: Any) -> Iterator[TaskResult]:
    """Runs on: driver, in a thread.

    Raises:  PredictError, EngineTaskError, ConfigError.
    """
    from ray.exceptions import ActorDiedError, RayActorError, WorkerCrashedError

    try:
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for row in table.to_pylist():
                yield TaskResult(tuple(row["reports"]), row["failure"], row["refusal"])
    except (ActorDiedError, RayActorError, WorkerCrashedError) as error:
        raise PredictError(
            "the actor of a task of Ray ended each time that it was tried",
            "actors that keep running: one ends if it runs out of memory, or if the model crashes it",
            "see Ray's logs; use smaller batches (scoring.batch_rows), or model.residency: executor",
        ) from error
    except Exception as error:
        raise engine_error(str(error)) from error


def _stop_dataset(dataset: Any) -> None:
    """End the dataset's actors. Those that have not started yet end with this process, or with Ray."""
    executor = getattr(dataset, "_current_executor", None)
    if executor is not None:
        with suppress(Exception):  # the error that is on its way says why they are to end
            takes_force = "force" in inspect.signature(executor.shutdown).parameters  # not before 2.47
            executor.shutdown(**({"force": True} if takes_force else {}))


@contextmanager
def open_ray_engine(options: EngineOptions, archives: Sequence[Path]) -> Iterator[RayEngine]:
    """Ray at an address, or as this process has it, or on this machine as long as the block lasts.

    Runs on: driver.
    Raises:  ModuleNotFoundError without the extra ray; ConfigError for more than the cluster has, and where this
             process has another cluster; TemporaryError where nobody answers at the address.
    """
    with SHARED_RAY.connect(options) as is_own:
        import ray

        slots = _count_slots(options, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        shipped = tuple(ModelArchive(str(path)) for path in archives)
        if not is_own:
            shipped = tuple(
                ModelArchive(str(path), partial(_bring_stored_archive, path.name, ray.put(path.read_bytes())))
                for path in archives
            )
        yield RayEngine(options, shipped, slots, is_own)


def _bring_stored_archive(name: str, stored: Any) -> Path:
    """Runs on: an actor of Ray."""
    import ray

    return keep_archive(name, partial(ray.get, stored))


def _count_slots(options: EngineOptions, nodes: Sequence[Mapping[str, float]]) -> int:
    """How many actors run at once, by what each node of the cluster has: an actor is on one of them."""
    fitting = sum(_count_fitting_actors(options, node) for node in nodes)
    slots = options.workers or fitting
    if not 0 < slots <= fitting:
        raise ConfigError(
            f"{max(slots, 1)} actors of {options.worker_cpus:g} CPUs and {options.worker_gpus:g} GPUs do not fit the"
            f" cluster of Ray: {_describe_nodes(nodes)}",
            "actors that all have a place",
            "ask for less (engine.workers, engine.worker_cpus, engine.worker_gpus), or for a larger cluster",
        )
    return slots


def _count_fitting_actors(options: EngineOptions, node: Mapping[str, float]) -> int:
    wanted = {"CPU": options.worker_cpus, "GPU": options.worker_gpus}
    return min(int(node.get(name, 0) / amount + 1e-6) for name, amount in wanted.items() if amount)


def _describe_nodes(nodes: Sequence[Mapping[str, float]]) -> str:
    shown = [f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes[:_SHOWN_NODES]]
    more = [f"{len(nodes) - _SHOWN_NODES} more nodes"] if len(nodes) > _SHOWN_NODES else []
    return "; ".join([*shown, *more]) or "no node"
