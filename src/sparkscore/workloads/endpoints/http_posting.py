"""Posts JSON to an endpoint within limits of time and size. Holds only that I/O. Runs on executors."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sparkscore.workloads.endpoints.endpoint_spec import EndpointAccess

_MAX_BYTES = 64 << 20
"""Of a response: a server may send without an end."""
_CHUNK_BYTES = 1 << 16


class NoAnswer(Exception):
    """There is no whole response. Its text says why, in a few words."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole response."""

    status: int
    content: bytes
    retry_after: str | None = None


class Poster(Protocol):
    """Posts a request."""

    async def post(self, path: str, body: Mapping[str, Any]) -> HttpAnswer:
        """The response.

        Raises:  NoAnswer.
        """


class HttpPoster:
    """Posts with connections that stay open, in the event loop that runs."""

    def __init__(self, access: EndpointAccess) -> None:
        self._access = access
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, path: str, body: Mapping[str, Any]) -> HttpAnswer:
        """As `Poster` has it. Redirects are not followed: the key would go with them."""
        import aiohttp

        url = f"{self._access.url.rstrip('/')}/{path}"
        try:
            async with self._open_session().post(
                url, data=json.dumps(body, ensure_ascii=False).encode(), allow_redirects=False
            ) as response:
                content = await self._read_content(response)
                return HttpAnswer(response.status, content, response.headers.get("Retry-After"))
        except TimeoutError as late:
            raise NoAnswer("a time-out", timed_out=True) from late
        except aiohttp.ClientError as failed:
            raise NoAnswer(f"no whole response ({type(failed).__name__})") from failed
        except OSError as failed:
            raise NoAnswer(f"no connection ({type(failed).__name__})") from failed

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):  # what a loop that has ended leaves
                await session.close()

    def _open_session(self) -> Any:
        import aiohttp

        loop, access = asyncio.get_running_loop(), self._access
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(
                    total=access.timeout, sock_connect=access.connect_timeout, sock_read=access.read_timeout
                ),
                headers={"Content-Type": "application/json", **key_headers(access)},
                trust_env=True,  # proxies
            )
        return self._session

    async def _read_content(self, response: Any) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            content += chunk
            if len(content) > _MAX_BYTES:
                raise NoAnswer(f"a response of more than {_MAX_BYTES >> 20} MiB")
        return bytes(content)


def key_headers(access: EndpointAccess) -> Mapping[str, str]:
    """The header with the key; none where there is no key."""
    if access.key is None:
        return {}
    if access.key_header is None:
        return {"Authorization": f"Bearer {access.key}"}
    return {access.key_header: access.key}
