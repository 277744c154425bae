"""One POST that ends at its deadline, whatever the other side does, and tells nothing of its URL."""

import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

_BUSY = 429


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a POST was not taken: words that hold nothing of the URL, and whether another try may help."""

    why: str
    again: bool


def post(url: str, body: bytes, *, until: float) -> Failed | None:
    """Post JSON; None where the other side has taken it. Never raises.

    A redirect is not followed, and the body of the answer is not read. A proxy of the environment is used.

    Needs:   `until`, a moment of time.monotonic(): all but the look-up of the host's name ends then.
    """
    if not _is_http(url):
        return Failed("not an http or https URL", again=False)
    try:
        with _Deadline(until) as deadline:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
            opener = urllib.request.build_opener(_NoRedirect, _Http(deadline), _Https(deadline))
            opener.open(request, timeout=deadline.left).close()
    except urllib.error.HTTPError as error:
        error.close()
        again = error.code >= http.client.INTERNAL_SERVER_ERROR or error.code == _BUSY
        return Failed(f"HTTP status {error.code}", again)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # urllib wraps what the socket raised; of either, only the class: the text may hold the URL
        reason = getattr(error, "reason", None)
        name = type(reason if isinstance(reason, BaseException) else error).__name__
        return Failed("no answer in time" if time.monotonic() >= until else name, again=isinstance(error, OSError))
    return None


def host_of(url: str) -> str:
    """The host alone, which is no secret."""
    with suppress(ValueError):
        return urlsplit(url).hostname or "the webhook"
    return "the webhook"


def _is_http(url: str) -> bool:
    with suppress(ValueError):
        return urlsplit(url).scheme in ("http", "https")
    return False


class _Deadline:
    """Shuts connections down. A time-out of a socket is for each byte: a server that drips them outlives it."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._twins: list[socket.socket] = []
        self._timer = threading.Timer(self.left, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for twin in self._twins:
            twin.close()

    @property
    def left(self) -> float:
        """Seconds, never none: a socket with a time-out of 0 does not wait at all."""
        return max(self._until - time.monotonic(), 0.001)

    def watch(self, connection: socket.socket) -> None:
        # TLS takes a socket over, but what is shut down is the connection, through whichever number
        self._twins.append(connection.dup())
        if time.monotonic() >= self._until:
            self._shut()

    def _shut(self) -> None:
        for twin in self._twins:
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)


class _Watched(http.client.HTTPConnection):
    deadline: _Deadline

    def connect(self) -> None:
        super().connect()
        self.deadline.watch(self.sock)


class _WatchedTls(http.client.HTTPSConnection, _Watched):
    """Its `connect` calls that of `_Watched` before the handshake, which may take for ever, too."""


def _made(kind: type[_Watched], deadline: _Deadline) -> Callable[..., _Watched]:
    def make(host: str, **options: Any) -> _Watched:
        connection = kind(host, **options)
        connection.deadline = deadline
        return connection

    return make


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._make = _made(_Watched, deadline)

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._make, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._make = _made(_WatchedTls, deadline)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._make, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer stays an HTTPError."""
