"""Ray as this process has it: started for a run on this machine, connected to a cluster, or there already."""

import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from sparkscore.errors import ConfigError, TemporaryError
from sparkscore.records import EngineOptions

_OBJECT_STORE_BYTES = 256 << 20
"""On this machine: reports are small, and the model's files are read where they are."""
_CONNECT_TIMEOUT_S = 30.0
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of gRPC begins. Its server answers with a frame of settings."""
_SETTINGS_FRAME = 4
_LOOPBACK_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


class _SharedRay:
    """Ray belongs to a process: runs that share it at the same time end it together."""

    def __init__(self) -> None:
        self._lock, self._users, self._is_started, self._is_local = Lock(), 0, False, False

    @contextmanager
    def connect(self, options: EngineOptions) -> Iterator[bool]:
        """Ray for a block; whether it was started by a run, on this machine, and so ends with it.

        Raises:  ConfigError, TemporaryError.
        """
        import ray

        with self._lock:
            if not ray.is_initialized():
                _start_ray(options)
                self._is_started, self._is_local = True, options.address is None
            else:
                _require_same_cluster(options.address)
                if not self._users:
                    self._is_started = self._is_local = False
            self._users += 1
        try:
            yield self._is_local
        finally:
            with self._lock:
                self._users -= 1
                if not self._users and self._is_started:
                    ray.shutdown()


SHARED_RAY = _SharedRay()


def _start_ray(options: EngineOptions) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": True, "logging_level": logging.ERROR}
    with _keep_sigterm_handler():
        if options.address is None:
            _start_local_ray(options, quiet)
        else:
            _join_cluster(options.address, quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _start_local_ray(options: EngineOptions, quiet: dict[str, Any]) -> None:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _listen_on_loopback():
        ray.init(
            address="local",
            num_cpus=math.ceil((options.workers or options.cores) * options.worker_cpus),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **quiet,
        )


def _join_cluster(address: str, quiet: dict[str, Any]) -> None:
    import ray

    try:
        if address != "auto":
            _require_grpc_server(address)
        ray.init(address, **quiet)
    except OSError as error:  # ConnectionError of Ray's own is one
        raise TemporaryError(
            f"no cluster of Ray answers at {address}",
            "engine.address of a running cluster: of its port for GCS, 6379 by default, not of its dashboard",
            "start it (ray start --head), correct the address, or leave engine.address out for one on this machine",
        ) from error
    except (RuntimeError, ValueError) as error:  # another version of Ray or of Python
        raise ConfigError(
            f"this process cannot join the cluster of Ray at {address}: {' '.join(str(error).split())[:300]}",
            "a cluster with the driver's versions of Ray and Python",
            "start its nodes from the same environment as the driver",
        ) from error


def _require_grpc_server(address: str) -> None:
    """Ray asks an address for many minutes before it says that nobody is there, or somebody else.

    Raises:  OSError.
    """
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
            return
        connection.sendall(_GREETING)
        answer = connection.recv(9)
        if answer[3:4] != bytes([_SETTINGS_FRAME]):
            raise ConnectionError("whoever listens there does not speak gRPC")


def _require_same_cluster(address: str | None) -> None:
    """Refuse an address that is not of the cluster that the process has: nobody can be in two.

    Raises:  ConfigError.
    """
    import ray

    found = str(ray.get_runtime_context().gcs_address)
    if address not in (None, "auto") and not _is_same_place(str(address), found):
        raise ConfigError(
            f"engine.address is {address}, and this process has joined Ray at {found}",
            "one cluster of Ray for a process",
            "run it in a process of its own, or call ray.shutdown() first",
        )


def _is_same_place(address: str, other: str) -> bool:
    (host, _, port), (other_host, _, other_port) = address.rpartition(":"), other.rpartition(":")
    if port != other_port:
        return False
    with suppress(OSError):
        found = {socket.gethostbyname(one.strip("[]")) for one in (host, other_host)}
        return len(found) == 1 or any(one.startswith("127.") for one in found)  # Ray has another name for loopback
    return host == other_host


@contextmanager
def _listen_on_loopback() -> Iterator[None]:
    """Whoever reaches Ray's ports runs code as this user, and on Linux Ray listens on all networks.

    It is what Ray does by itself on other systems; there is no argument for it.
    """
    from ray._private import ray_constants

    given, constant = os.environ.get(_LOOPBACK_VARIABLE), getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    if given is not None or constant is None:  # somebody has decided
        yield
        return
    os.environ[_LOOPBACK_VARIABLE], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        os.environ.pop(_LOOPBACK_VARIABLE, None)
        ray_constants.ENABLE_RAY_CLUSTER = constant


@contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Ray's own ends the process with 1, and stays after Ray: whoever sends SIGTERM expects 143."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
