"""The model process. `python -m sparkscore.model.host.host_server <channel> <alive>`: two descriptors that it inherits.

From the channel it reads what to load; there it says that it is ready, or why it is not. It ends when the executor
does, when nobody has sent a batch for long, or when it is killed: the lock on `alive` then tells the next worker.
"""

import os
import pickle
import signal
import socket
import sys
import threading
from contextlib import closing, suppress
from typing import NoReturn

from sparkscore.model.distribution.model_cache_limits import keep_freed_memory
from sparkscore.model.distribution.unpacked_model import mark_model_used
from sparkscore.model.host.client_threads import ClientThreads
from sparkscore.model.host.error_messages import encode_host_error
from sparkscore.model.host.executor_process import wait_for_process_end
from sparkscore.model.host.fork_safety import hide_from_forks, register_fork_handler
from sparkscore.model.host.host_directory import HostDirectory
from sparkscore.model.host.host_start import HOST_READY, HostSpec
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.scorer import Scorer, to_load_error

_ACCEPT_TIMEOUT_S = 1.0
_BACKLOG = 256
_MAX_LOG_BYTES = 16 << 20
_STDOUT = 1
_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}
"""By Python itself."""


def run_host_process(channel: int, alive_lock: int) -> None:
    """Load the model and serve it.

    Runs on: executor, in a process of its own.
    """
    _reset_signals()
    os.set_inheritable(alive_lock, False)
    register_fork_handler()
    with hide_from_forks(alive_lock):
        with socket.socket(fileno=channel) as worker, hide_from_forks(channel):
            spec = pickle.loads(_receive_until_closed(worker))  # noqa: S301 - from the worker that started this process
            threading.Thread(target=_end_with_executor, args=(spec,), daemon=True).start()
            clients = ClientThreads(_load_hosted_model(spec, worker), sensitive=spec.model.sensitive)
            listener = _open_host_listener(spec.directory)
            _notify_worker(worker, HOST_READY)
        with closing(listener), hide_from_forks(listener.fileno()):
            _serve_clients(listener, clients, spec)
        _end_host_process(spec.directory)


def _reset_signals() -> None:
    """Unblock all and ignore none: a model in the worker may have, and that is inherited."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for one in signal.valid_signals() - _IGNORED:
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)


def _notify_worker(worker: socket.socket, message: bytes) -> None:
    with suppress(OSError):  # it may be gone: others come
        worker.sendall(message)


def _load_hosted_model(spec: HostSpec, worker: socket.socket) -> Scorer:
    """The model; where it cannot be loaded the worker gets the error, and the process ends."""
    # the only GPU that the process sees is its first one
    device = None if spec.device is None else "0"
    try:
        os.environ.update(spec.model.environment)
        mark_model_used(spec.folder)
        keep_freed_memory()
        return load_verified_scorer(spec.model, spec.folder, cores=spec.cores, device=device)
    except Exception as error:  # noqa: BLE001 - the worker raises it
        _notify_worker(worker, encode_host_error(to_load_error(error, sensitive=spec.model.sensitive)).encode())
        _end_host_process(spec.directory)


def _open_host_listener(directory: HostDirectory) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    (directory.folder / "socket").unlink(missing_ok=True)  # of a killed predecessor; `alive` says that it is one
    with directory.open_address() as address:
        listener.bind(address)
    listener.listen(_BACKLOG)
    listener.settimeout(_ACCEPT_TIMEOUT_S)
    return listener


def _serve_clients(listener: socket.socket, clients: ClientThreads, spec: HostSpec) -> None:
    while clients.idle_s() < spec.idle_s:
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            clients.serve_client(connection)
        _truncate_large_log()


def _truncate_large_log() -> None:
    if os.fstat(_STDOUT).st_size > _MAX_LOG_BYTES:
        os.ftruncate(_STDOUT, 0)  # it is appended to, so this loses the old lines alone


def _end_with_executor(spec: HostSpec) -> None:
    wait_for_process_end(spec.owner)
    _end_host_process(spec.directory)


def _end_host_process(directory: HostDirectory) -> NoReturn:
    """End at once: batches that are being scored have nobody left who waits for them."""
    directory.remove_directory()
    os._exit(0)


def _receive_until_closed(channel: socket.socket) -> bytes:
    content = b""
    while more := channel.recv(1 << 16):
        content += more
    return content


if __name__ == "__main__":
    run_host_process(*map(int, sys.argv[1:3]))
