"""One POST that ends at its deadline, whatever the other side does, and never shows its URL."""

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

_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class PostFailure:
    """Why a POST was not accepted, without the URL, and whether another try may help."""

    why: str
    again: bool


def post_json(url: str, body: bytes, *, until: float) -> PostFailure | None:
    """Post JSON; returns None if the other side accepts it. Never raises.

    A redirect is not followed, and the body of the answer is not read. A proxy of the environment is used.

    Needs:   `until`, a moment of time.monotonic(): all but the look-up of the host's name ends then.
    """
    if not _is_http_url(url):
        return PostFailure("not an http or https URL", again=False)
    try:
        with _PostDeadline(until) as deadline:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
            opener = urllib.request.build_opener(
                _NoRedirectHandler, _WatchedHttpHandler(deadline), _WatchedHttpsHandler(deadline)
            )
            opener.open(request, timeout=deadline.left).close()
    except urllib.error.HTTPError as error:
        error.close()
        again = error.code >= http.client.INTERNAL_SERVER_ERROR or error.code == _TOO_MANY_REQUESTS
        return PostFailure(f"HTTP status {error.code}", again)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # urllib wraps what the socket raised; of either, only the class: the text may hold the URL
        reason = getattr(error, "reason", None)
        name = type(reason if isinstance(reason, BaseException) else error).__name__
        return PostFailure("no answer in time" if time.monotonic() >= until else name, again=isinstance(error, OSError))
    return None


def url_host(url: str) -> str:
    """The host alone, which is no secret."""
    with suppress(ValueError):
        return urlsplit(url).hostname or "the webhook"
    return "the webhook"


def _is_http_url(url: str) -> bool:
    with suppress(ValueError):
        return urlsplit(url).scheme in ("http", "https")
    return False


class _PostDeadline:
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


class _WatchedConnection(http.client.HTTPConnection):
    deadline: _PostDeadline

    def connect(self) -> None:
        super().connect()
        self.deadline.watch(self.sock)


class _WatchedTlsConnection(http.client.HTTPSConnection, _WatchedConnection):
    """Its `connect` calls that of `_WatchedConnection` before the handshake, which may also never end."""


def _connection_factory(kind: type[_WatchedConnection], deadline: _PostDeadline) -> Callable[..., _WatchedConnection]:
    def make(host: str, **options: Any) -> _WatchedConnection:
        connection = kind(host, **options)
        connection.deadline = deadline
        return connection

    return make


class _WatchedHttpHandler(urllib.request.HTTPHandler):
    def __init__(self, deadline: _PostDeadline) -> None:
        super().__init__()
        self._make = _connection_factory(_WatchedConnection, deadline)

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._make, req)


class _WatchedHttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _PostDeadline) -> None:
        super().__init__()
        self._make = _connection_factory(_WatchedTlsConnection, deadline)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._make, req)


class _NoRedirectHandler(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer stays an HTTPError."""
