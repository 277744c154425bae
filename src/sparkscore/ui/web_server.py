"""Serves the web page over HTTP until somebody ends it."""

import asyncio
import errno
import os
import secrets
import socket
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from sparkscore.errors import ConfigError
from sparkscore.ui.access_rules import AccessRules, is_own_machine, make_access_rules
from sparkscore.ui.served_jobs import JobShelf
from sparkscore.ui.web_app import Asgi, create_app

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8470
TOKEN_VARIABLE = "SPARKSCORE_UI_TOKEN"  # noqa: S105  the name of a variable
_MIN_TOKEN = 16
_END_S = 2
"""What requests that are under way have when the server ends."""


@dataclass(frozen=True, slots=True)
class WebServer:
    """A server that is bound, and not yet answering."""

    listener: socket.socket
    rules: AccessRules
    shelf: JobShelf
    host: str
    is_token_new: bool
    """The token was made just now: nobody knows it before it is shown."""

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        return self.rules.port

    @property
    def url(self) -> str:
        """Where it is reached, without the token."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else "::1" if self.host == "::" else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def prepare_app(self) -> Asgi:
        """The application, with the runs of all jobs read: its first page is as fast as the others."""
        return create_app(self.shelf, self.rules, reads_ahead=True)

    def serve(self, app: Asgi) -> None:
        """Answer until SIGINT or SIGTERM."""
        import uvicorn

        config = uvicorn.Config(
            app,
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_END_S,
            limit_concurrency=200,
        )
        with suppress(KeyboardInterrupt, asyncio.CancelledError), self.listener:
            uvicorn.Server(config).run(sockets=[self.listener])


def open_web_server(shelf: JobShelf, *, host: str, port: int, allowed: Collection[str] = ()) -> WebServer:
    """Bind a server; port 0 takes a free one. Bound elsewhere than to this machine it asks for a token.

    Raises:  ConfigError for a port in use, a host that is none of this machine's, and a token that is too short.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given is not None and len(given) < _MIN_TOKEN:
        raise ConfigError(
            f"{TOKEN_VARIABLE} has {len(given)} characters", f"{_MIN_TOKEN} at least", "leave it out: one is made then"
        )
    is_token_new = given is None and not is_own_machine(host)
    token = secrets.token_urlsafe(32) if is_token_new else given
    listener = _bind(host, port)
    bound = listener.getsockname()[1]
    rules = make_access_rules(host, bound, token=token, own_names=_machine_names(), allowed=allowed)
    return WebServer(listener, rules, shelf, host, is_token_new)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError, ValueError) as error:  # a name that no resolver takes is a ValueError
        listener.close()
        raise _bind_error(host, port, error) from error
    return listener


def _bind_error(host: str, port: int, error: Exception) -> ConfigError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of {host} is in use", "a port that is free", "name another one: --port 0 takes any"
        )
    if number == errno.EACCES:
        return ConfigError(f"no permission to use port {port}", "a port from 1024 on", "name another one with --port")
    if isinstance(error, OverflowError):
        return ConfigError(f"--port {port}", "a port from 0 to 65535", "name another one")
    return ConfigError(
        f"cannot listen on {host:.80}: {getattr(error, 'strerror', None) or error}",
        "an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them",
        "name another one with --host",
    )


def _machine_names() -> set[str]:
    name = socket.gethostname()
    return {name, name.partition(".")[0], socket.getfqdn()}
