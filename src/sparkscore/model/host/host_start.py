"""Starts the model process: a fresh Python without anything of the models that its worker has loaded. Runs in a worker.

A limit on the worker's memory (spark.executor.pyspark.memory) is inherited. What the process takes counts as the
executor's overhead (spark.executor.memoryOverhead).
"""

import os
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from sparkscore.executor_variables import PASSED_VARIABLES_NAME
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.error_messages import decode_host_error
from sparkscore.model.host.executor_process import Process
from sparkscore.model.host.host_directory import HostDirectory
from sparkscore.model.host.inherited_environment import InheritedEnvironment, read_inherited_environment
from sparkscore.model.host.wire_format import PeerGoneError
from sparkscore.model.runtimes.thread_limits import THREAD_VARIABLES
from sparkscore.redaction.known_secrets import is_secret_name
from sparkscore.redaction.uri_credentials import find_uri_secrets

HOST_READY = b"ready"
_SPARK_VARIABLE_PREFIXES = ("SPARK_", "PYSPARK_", "PYTHON_WORKER_", "_PYTHON_", "SPARKSCORE_")
_SECRET_VARIABLE = re.compile(
    r"passw|secret|token(?!izers)|credential|_key$|_key_|apikey|_pat$|_auth$|^mlflow_tracking_", re.IGNORECASE
)
"""Wider than what texts are searched for: a model seldom misses a variable, and must not find a secret."""

_host_processes: list[subprocess.Popen[bytes]] = []
"""Processes of this worker's making; asked after now and then, so that those that ended do not stay as zombies."""


@dataclass(frozen=True, slots=True)
class HostSpec:
    """What the process has to know."""

    model: ShippedModel
    folder: str
    cores: int
    device: str | None
    owner: Process
    directory: HostDirectory
    idle_s: float


def start_host_process(spec: HostSpec, *, alive_lock: int, deadline: float) -> None:
    """Start the process and wait until it serves.

    Needs:   `alive_lock`: the descriptor that holds the lock of this name; the process keeps it.
    Runs on: executor.
    Raises:  what the model raised on loading, as the suite's own error; PeerGoneError where the process ended, or took
             until `deadline` (of `time.monotonic()`) and was ended.
    """
    _host_processes[:] = [process for process in _host_processes if process.poll() is None]
    local, remote = socket.socketpair()
    with local:
        with remote:
            process = _spawn_host_process(spec, alive_lock, remote.fileno())
        _host_processes.append(process)
        try:
            answer = _exchange_with_host(local, pickle.dumps(spec), deadline)
        except TimeoutError as error:
            process.kill()
            raise PeerGoneError("took too long to load the model, and was ended") from error
    if answer == HOST_READY:
        return
    process.wait(timeout=max(1.0, deadline - time.monotonic()))
    if answer:
        raise decode_host_error(answer.decode())
    raise PeerGoneError(
        f"ended with {process.returncode} while it loaded the model; its log is {spec.directory.log_file}"
    )


def reap_ended_hosts(process: Process) -> None:
    """Wait for the end of a process that this worker has started and ended: else it stays as a zombie."""
    for one in _host_processes:
        if one.pid == process.pid:
            one.wait()


def _spawn_host_process(spec: HostSpec, alive_lock: int, channel: int) -> subprocess.Popen[bytes]:
    inherited = read_inherited_environment()
    log = os.open(spec.directory.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "sparkscore.model.host.host_server", str(channel), str(alive_lock)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(channel, alive_lock),
            start_new_session=True,
            env=build_host_environment(inherited, cores=spec.cores, device=spec.device),
            cwd="/",
            umask=inherited.umask,
        )
    finally:
        os.close(log)


def _exchange_with_host(channel: socket.socket, request: bytes, deadline: float) -> bytes:
    answer = b""
    try:
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        channel.sendall(request)
        channel.shutdown(socket.SHUT_WR)
        while True:
            channel.settimeout(max(0.001, deadline - time.monotonic()))
            more = channel.recv(1 << 16)
            if not more:
                return answer
            answer += more
    except ConnectionError:
        return answer


def build_host_environment(inherited: InheritedEnvironment, *, cores: int, device: str | None) -> dict[str, str]:
    """The process's environment: the worker's own without Spark's variables and without secrets.

    What the model needs of them is named in PASSED_VARIABLES_NAME, in the executors' environment.

    Threads: Spark says OMP_NUM_THREADS=1 or so for the worker; here each batch may use the cores of the task that sent
    it. A GPU: the process sees that one alone, numbered as Spark's discovery scripts do.
    """
    variables = inherited.variables
    passed = set(variables.get(PASSED_VARIABLES_NAME, "").replace(",", " ").split())
    environment = {
        name: value
        for name, value in variables.items()
        if name in passed or not (name.startswith(_SPARK_VARIABLE_PREFIXES) or _is_secret_variable(name, value))
    }
    environment |= dict.fromkeys(THREAD_VARIABLES, str(cores))
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in inherited.path if entry)
    environment["TMPDIR"] = tempfile.gettempdir()
    if device is not None:
        environment |= {"CUDA_VISIBLE_DEVICES": device, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return environment


def _is_secret_variable(name: str, value: str) -> bool:
    """By its name, or because it holds a URI with credentials: a proxy's, a database's, a package index's."""
    return bool(_SECRET_VARIABLE.search(name)) or is_secret_name(name) or any(find_uri_secrets(value))
