"""The web page on a port of the loopback interface, and what it answers."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sparkscore.settings import Settings
from sparkscore.ui.access_rules import AccessRules, make_access_rules
from sparkscore.ui.served_jobs import JobShelf
from sparkscore.ui.web_app import create_app


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    port: int
    rules: AccessRules

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """What it answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serve_pages(
    *homes: Path, configs: tuple[Settings, ...] = (), token: str | None = None, **rules: Any
) -> Iterator[Served]:
    """A server of these homes, until the end of the block."""
    import uvicorn

    own = make_access_rules("127.0.0.1", 8470, token=token, **rules)
    app = create_app(JobShelf([str(home) for home in homes], configs), own)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Served(server.servers[0].sockets[0].getsockname()[1], own)
    finally:
        server.should_exit = True
        thread.join(30)
