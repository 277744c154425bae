"""The model process. `python -m sparkscore.model.host.server <channel> <alive>`: two descriptors that it inherits.

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

from sparkscore.model.host.executor import wait_for_end
from sparkscore.model.host.failures import told
from sparkscore.model.host.forks import not_in_forks, watch_forks
from sparkscore.model.host.place import Place
from sparkscore.model.host.serving import Clients
from sparkscore.model.host.start import READY, Spec
from sparkscore.model.loading import loaded
from sparkscore.model.room import keep_freed_memory
from sparkscore.model.scorer import Scorer, not_loaded
from sparkscore.model.unpacked import use

_LOOK_EVERY_S = 1.0
_BACKLOG = 256
_LOG_BYTES = 16 << 20
_STDOUT = 1
_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}
"""By Python itself."""


def main(channel: int, alive: int) -> None:
    """Load the model and serve it.

    Runs on: executor, in a process of its own.
    """
    _put_signals_back()
    os.set_inheritable(alive, False)
    watch_forks()
    with not_in_forks(alive):
        with socket.socket(fileno=channel) as worker, not_in_forks(channel):
            spec = pickle.loads(_all_of(worker))  # noqa: S301 - from the worker that started this process
            threading.Thread(target=_end_with, args=(spec,), daemon=True).start()
            clients = Clients(_loaded(spec, worker), sensitive=spec.model.sensitive)
            listener = _listening(spec.place)
            _say(worker, READY)
        with closing(listener), not_in_forks(listener.fileno()):
            _serve(listener, clients, spec)
        _end(spec.place)


def _put_signals_back() -> None:
    """As if nobody had blocked or ignored any: a model in the worker may have, and that is inherited."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for one in signal.valid_signals() - _IGNORED:
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)


def _say(worker: socket.socket, what: bytes) -> None:
    with suppress(OSError):  # it may be gone: others come
        worker.sendall(what)


def _loaded(spec: Spec, worker: socket.socket) -> Scorer:
    """The model; where it cannot be loaded the worker is told, and the process ends."""
    # the only GPU that the process sees is its first one
    device = None if spec.device is None else "0"
    try:
        use(spec.folder)
        keep_freed_memory()
        return loaded(spec.model, spec.folder, cores=spec.cores, device=device)
    except Exception as error:  # noqa: BLE001 - the worker raises it
        _say(worker, told(not_loaded(error, sensitive=spec.model.sensitive)).encode())
        _end(spec.place)


def _listening(place: Place) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    (place.folder / "socket").unlink(missing_ok=True)  # of a killed predecessor; `alive` says that it is one
    with place.address() as address:
        listener.bind(address)
    listener.listen(_BACKLOG)
    listener.settimeout(_LOOK_EVERY_S)
    return listener


def _serve(listener: socket.socket, clients: Clients, spec: Spec) -> None:
    while clients.idle_s() < spec.idle_s:
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            clients.welcome(connection)
        _keep_log_small()


def _keep_log_small() -> None:
    if os.fstat(_STDOUT).st_size > _LOG_BYTES:
        os.ftruncate(_STDOUT, 0)  # it is appended to, so this loses the old lines alone


def _end_with(spec: Spec) -> None:
    wait_for_end(spec.executor)
    _end(spec.place)


def _end(place: Place) -> NoReturn:
    """End at once: batches that are being scored have nobody left who waits for them."""
    place.left()
    os._exit(0)


def _all_of(channel: socket.socket) -> bytes:
    content = b""
    while more := channel.recv(1 << 16):
        content += more
    return content


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
