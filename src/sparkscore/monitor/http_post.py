"""One POST that ends at its deadline, whatever the other side does, and tells nothing of its URL."""

import http.client
import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from sparkscore.timed_calls import call_in_time

_TOO_MANY_REQUESTS = 429
_THREAD_NAME = "sparkscore-post"

# at level DEBUG urllib3 logs the path of each request, which is the secret part of a webhook's URL
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.threadName != _THREAD_NAME)


class PostFailure(NamedTuple):
    """Why a POST was not taken: words that hold nothing of the URL, and whether another try may help."""

    why: str
    again: bool


def post_json(url: str, body: bytes, *, until: float) -> PostFailure | None:
    """Post JSON; None where the other side has taken it. Never raises.

    A redirect is not followed, and the body of the answer is not read. A proxy of the environment is used.
    A time-out of a socket is for each read, and a server that drips bytes outlives it: then the request is left to its
    daemon thread, and counts as not answered.

    Needs:   `until`, a moment of time.monotonic(), at which this returns at the latest.
    """
    if not _is_http_url(url):
        return PostFailure("not an http or https URL", again=False)
    request = partial(_send_request, url, body, until)
    try:
        return call_in_time(request, seconds=_seconds_left(until), name=_THREAD_NAME)
    except Exception:  # noqa: BLE001  whatever it is: nothing that is told may end a run
        return PostFailure("no answer in time", again=True)


def url_host(url: str) -> str:
    """The host alone, which is no secret."""
    with suppress(ValueError):
        return urlsplit(url).hostname or "the webhook"
    return "the webhook"


def _is_http_url(url: str) -> bool:
    with suppress(ValueError):
        return urlsplit(url).scheme in ("http", "https")
    return False


def _seconds_left(until: float) -> float:
    # never none: a socket with a time-out of 0 does not wait at all
    return max(until - time.monotonic(), 0.001)


def _send_request(url: str, body: bytes, until: float) -> PostFailure | None:
    try:
        with _WebhookSession() as session:
            if urlsplit(url).scheme == "https":
                session.mount("https://", _SystemTrustAdapter())
            answer = session.post(
                url,
                body,
                headers={"Content-Type": "application/json"},
                auth=_add_no_credentials,
                timeout=_seconds_left(until),
                stream=True,
            )
            answer.close()
    except (requests.RequestException, OSError, http.client.HTTPException, ValueError) as error:
        cause = next(_foreign_causes(error), error)
        # only the class: the text may hold the URL
        why = "no answer in time" if time.monotonic() >= until else type(cause).__name__
        return PostFailure(why, again=isinstance(cause, OSError))
    return _status_failure(answer.status_code)


def _status_failure(status: int) -> PostFailure | None:
    if http.client.OK <= status < http.client.MULTIPLE_CHOICES:
        return None
    return PostFailure(
        f"HTTP status {status}", again=status >= http.client.INTERNAL_SERVER_ERROR or status == _TOO_MANY_REQUESTS
    )


def _foreign_causes(error: BaseException) -> Iterator[BaseException]:
    """What requests and urllib3 have wrapped, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.partition(".")[0] not in ("requests", "urllib3"):
            yield cause
        cause = cause.__cause__ or cause.__context__


def _add_no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this requests would send what ~/.netrc holds for the host."""
    return request


class _WebhookSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body of a redirect, however long, even where it does not follow it."""


class _SystemTrustAdapter(HTTPAdapter):
    """Trusts what the machine trusts (SSL_CERT_FILE, the system's store), not only what certifi ships."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=ssl.create_default_context())

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=ssl.create_default_context())
