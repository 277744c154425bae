"""What tests of the model process do on a node: put a model there, have it hosted, look at who loaded it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.executor_process import find_process
from sparkscore.model.host.host_client import open_host_scorer
from sparkscore.model.host.time_limits import HostTimeLimits
from sparkscore.model.runtimes.scorer import Scorer
from tests.model.host.models import Answer, Tells, doubles, shipped

ROW = [pa.array([3.0])]
QUICK = HostTimeLimits(batch_s=20, load_s=30, idle_s=60)


@dataclass(frozen=True)
class Node:
    """One node. Clients of this very process are workers of the executor that is its parent."""

    folder: Path
    told: list[int] = field(default_factory=list)
    """One entry per load that a client of this process was told of."""
    clients: list[Any] = field(default_factory=list)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def loads(self) -> list[int]:
        """The pids of processes that loaded a model, the oldest first."""
        (self.folder / "loads").mkdir(exist_ok=True)
        files = sorted((self.folder / "loads").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [int(file.name.partition("-")[0]) for file in files]

    def put(self, answer: Answer, *, output: pa.DataType | None = None, **more: Any) -> ShippedModel:
        """A model over one double, x, that answers with a function of the features."""
        assert self.loads == []
        model = Tells(answer, self.folder / "loads", **more)
        return shipped(self.folder / "files", model, inputs=doubles("x"), output=output or pa.float64())

    def files(self, *, verify: bool) -> str:
        """Where the model's files lie."""
        return str(self.folder / "files")

    def host(
        self, model: ShippedModel, *, device: str | None = None, limits: HostTimeLimits = QUICK, cores: int = 1
    ) -> Scorer:
        """One more client."""
        told = partial(self.told.append, 1)
        score = open_host_scorer(model, self.files, cores=cores, device=device, on_load=told, limits=limits)
        self.clients.append(score)
        return score

    def worker(self, act: Callable[[], Any], *, under: bool = False) -> subprocess.Popen[str]:
        """A process that does something and prints what it returns; `under` a parent of its own, its executor."""
        work = self.folder / f"work-{len(self.started)}"
        work.write_bytes(cloudpickle.dumps(act))
        command = [sys.executable, "-m", "tests.model.host.worker", str(work)]
        executor = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *command]
        environ = os.environ | {
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        }
        process = subprocess.Popen(executor if under else command, env=environ, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    def close(self) -> None:
        """Leave, and end what was started, by its number."""
        for client in self.clients:
            client.close()
        for process in self.started:
            process.kill()
            process.communicate()
        for pid in self.loads:
            if pid != os.getpid() and "sparkscore.model.host" in _command(pid):
                find_process(pid).kill()


def eventually(true: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + within_s
    while not (done := true()) and time.monotonic() < until:
        time.sleep(0.02)
    return done


def runs(pid: int) -> bool:
    """Whether a process of this number runs; a zombie does not."""
    return find_process(pid).is_alive


def is_stopped(pid: int) -> bool:
    """Whether a process has been stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return ""
