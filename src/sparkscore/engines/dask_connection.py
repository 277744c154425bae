"""Dask as a run has it: a cluster at an address whose processes fit the driver, or one on this machine."""

import logging
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sparkscore.engines.task_envelope import OWN_CODE, TASK_TRIES, require_same_code
from sparkscore.errors import ConfigError, TemporaryError
from sparkscore.records import EngineOptions
from sparkscore.timed_calls import CallTooLong, call_in_time

_CONNECT_TIMEOUT_S = 30
_START_TIMEOUT_S = 120.0
"""For workers on this machine, which import what the driver's main module does."""


def join_dask_cluster(address: str) -> Any:
    """A client of the cluster, whose workers can run tasks of this driver; a context that closes it.

    Runs on: driver.
    Raises:  ConfigError for workers that run tasks in several threads, in this process, or with other code;
             TemporaryError where no scheduler answers at the address, and for one without workers.
    """
    client = _connect_client(address)
    try:
        _require_fit_workers(client.scheduler_info(n_workers=-1)["workers"])
        _require_same_environment("the scheduler", client.run_on_scheduler)
        _require_same_environment("a worker", client.run)
        _require_other_processes(client)
    except BaseException:
        client.close()
        raise
    return client


def _connect_client(address: str) -> Any:
    from distributed import Client

    def connect() -> Any:
        return Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)

    try:  # Dask's own time-out ends with the connection: whoever answers there may be no scheduler
        return call_in_time(connect, seconds=_CONNECT_TIMEOUT_S * 1.2, name="sparkscore-dask")
    except (OSError, CallTooLong) as error:
        raise TemporaryError(
            f"no scheduler of Dask answers at {address}",
            "engine.address of a running scheduler: of its own port, 8786 by default, not of its dashboard",
            "start it (dask scheduler), correct the address, or leave engine.address out for one on this machine",
        ) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"engine.address {address} is no address for Dask: {error}",
            "tcp://host:port; tls://host:port, with the certificates in Dask's own config",
            "correct engine.address",
        ) from error


def start_dask_cluster(options: EngineOptions, stack: ExitStack) -> Any:
    """A client of workers on this machine, which end with the stack, as their folders do.

    They have certificates for one another: without, each user of the machine could run code as this one.

    Runs on: driver.
    Raises:  TemporaryError where they do not start.
    """
    import dask
    from distributed import Client, LocalCluster

    count = options.workers or options.cores
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sparkscore-dask-", ignore_cleanup_errors=True))
    own = {"distributed.scheduler.allowed-failures": TASK_TRIES - 1, "temporary-directory": folder}
    stack.enter_context(dask.config.set(own))

    def start() -> Any:
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=True,
            memory_limit=None,  # as Spark's workers: Dask would share the machine's by its cores, and end what has more
            dashboard_address=None,
            silence_logs=logging.ERROR,  # a worker that ends is told by what becomes of its task
        )

    try:
        cluster = stack.enter_context(call_in_time(start, seconds=_START_TIMEOUT_S, name="sparkscore-dask"))
        client = stack.enter_context(Client(cluster, set_as_default=False))
        client.wait_for_workers(count, timeout=_START_TIMEOUT_S)
    except (CallTooLong, OSError, RuntimeError) as error:
        raise TemporaryError(
            f"{count} workers of Dask did not start on this machine: {type(error).__name__}: {error}"[:300],
            "processes that start: each imports the main module of this one first",
            'in a script, call the run under `if __name__ == "__main__":`; else see why processes end here',
        ) from error
    return client


def _require_same_environment(where: str, ask: Callable[..., Any]) -> None:
    """Refuse before anything is sent.

    Raises:  ConfigError.
    """
    try:
        ask(require_same_code, *OWN_CODE)
    except Exception as error:
        found = f"{where} of Dask cannot run tasks of this driver: {error}"
        raise ConfigError(
            found[:300],
            "a scheduler and workers with the driver's Python and packages",
            "start all of them from the same environment as the driver",
        ) from error


def _require_other_processes(client: Any) -> None:
    if name_process() in client.run(name_process).values():
        raise ConfigError(
            "the workers of Dask are threads of this process",
            "workers that are processes of their own, with one thread each",
            "start the cluster with processes=True, or leave engine.address out",
        )


def name_process() -> tuple[str, int]:
    """Which process of which machine runs this."""
    return socket.gethostname(), os.getpid()


def _require_fit_workers(workers: dict[str, Any]) -> None:
    """What a task is, is told by globals of its process."""
    if not workers:
        raise TemporaryError("the cluster of Dask has no workers", "one at least", "start some: dask worker")
    most = max(int(one["nthreads"]) for one in workers.values())
    if most > 1:
        raise ConfigError(
            f"a worker of Dask runs {most} tasks at once, in threads",
            "workers with one thread each: a model is resident in a process, and has it to itself",
            "start them with more processes instead: dask worker --nworkers N --nthreads 1",
        )
