"""One POST that ends at its deadline, whatever the other side does, and never shows its URL."""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError


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
        return _status_failure(_post_until(url, body, until))
    except (OSError, HTTPError, ValueError) as error:
        # of what went wrong, only the class: the text may hold the URL
        cause = _first_cause(error)
        why = "no answer in time" if time.monotonic() >= until else type(cause).__name__
        return PostFailure(why, again=isinstance(cause, OSError) and not isinstance(cause, ValueError))


def url_host(url: str) -> str:
    """The host alone, which is no secret."""
    with suppress(ValueError):
        return urlsplit(url).hostname or "the webhook"
    return "the webhook"


def _is_http_url(url: str) -> bool:
    with suppress(ValueError):
        return urlsplit(url).scheme in ("http", "https")
    return False


def _post_until(url: str, body: bytes, until: float) -> int:
    """The status of the answer."""
    with _PostDeadline(until) as deadline, _WebhookSession() as session:
        adapter = _DeadlineAdapter(deadline)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        headers = {"Content-Type": "application/json"}
        proxies = get_environ_proxies(url, no_proxy=None)
        with session.post(url, body, headers=headers, proxies=proxies, timeout=deadline.left, stream=True) as answer:
            return answer.status_code


def _status_failure(status: int) -> PostFailure | None:
    if status < http.client.MULTIPLE_CHOICES:
        return None
    again = status >= http.client.INTERNAL_SERVER_ERROR or status == http.client.TOO_MANY_REQUESTS
    return PostFailure(f"HTTP status {status}", again)


def _first_cause(error: BaseException) -> BaseException:
    """What the socket, TLS or HTTP raised, which requests and urllib3 wrap."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


class _WebhookSession(requests.Session):
    """Takes no password from .netrc, trusts whom this machine trusts, and follows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        trusted = ssl.get_default_verify_paths()  # honours SSL_CERT_FILE; requests alone knows only its own list
        self.verify = trusted.cafile or trusted.capath or True

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests reads the whole body of a redirect even where it is told not to follow it."""


class _PostDeadline:
    """Shuts connections down. A time-out of requests is for each read: a server that drips bytes outlives it."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._connections: list[socket.socket] = []
        self._timer = threading.Timer(self.left, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for connection in self._connections:
            connection.close()

    @property
    def left(self) -> float:
        """Seconds, never none: a socket with a time-out of 0 does not wait at all."""
        return max(self._until - time.monotonic(), 0.001)

    def watch(self, connection: socket.socket) -> None:
        # a duplicate, since TLS takes the socket over; what is shut down is the connection, through whichever number
        self._connections.append(connection.dup())
        if time.monotonic() >= self._until:
            self._shut()

    def _shut(self) -> None:
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _WatchedConnection(HTTPConnection):
    deadline: _PostDeadline

    def _new_conn(self) -> socket.socket:
        """Before the TLS handshake, which may also never end."""
        opened = super()._new_conn()
        self.deadline.watch(opened)
        return opened


class _DeadlineAdapter(HTTPAdapter):
    def __init__(self, deadline: _PostDeadline) -> None:
        super().__init__()
        self._deadline = deadline

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = type("_Watched", (_WatchedConnection, pool.ConnectionCls), {"deadline": self._deadline})
        return pool
