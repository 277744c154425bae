"""The Python workers of this process's Spark: a worker that holds a model loads no other one into itself.

The second model would get a process of its own, which takes seconds to start; another worker is there at once.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark import SparkContext

from tests.faults.points import eventually

_EXPECTED: list[object] = []
"""The model that workers load next; at most one."""


def expect_model(model: object) -> None:
    """End the workers where the model that they load next is another one than before.

    Needs:   no task runs.
    """
    if [model] != _EXPECTED:
        _EXPECTED[:] = [model]
        end_idle_workers()


def end_idle_workers() -> None:
    """End all workers; Spark starts new ones.

    Needs:   no task runs.
    """
    context: Any = SparkContext._active_spark_context
    if context is None:
        return
    daemons = context._gateway.jvm.java.lang.ProcessHandle.current().children().toArray()
    workers = [int(worker.pid()) for daemon in daemons for worker in daemon.children().toArray()]
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # until its daemon has waited for it a worker looks alive, and Spark would give it a task
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), within_s=60)
