"""MLflow's own server on loopback, and what stands in front of it in other people's networks."""

import http.client
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_SERVER = """
import sys
from mlflow.server import app
from werkzeug.serving import WSGIRequestHandler, make_server
WSGIRequestHandler.log = lambda *_: None
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def serve_mlflow(store: str, folder: Path) -> Iterator[int]:
    """The port of MLflow's own server over a store; it takes any password, and hands out artifacts of the folder.

    A process of its own: the server makes its stores those of its process.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder),
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": folder.as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    with (folder.parent / "mlflow-server.log").open("w") as log:
        command = [sys.executable, "-W", "ignore", "-c", _SERVER]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


@dataclass
class Gate:
    """A reverse proxy that lets through whoever says the right word, until it has had enough."""

    port: int
    """Of the server behind it."""
    word: str | None = None
    """What the header Authorization has to hold."""
    lets_through: int | None = None
    """So many requests: the others find the connection closed."""
    refuse: Callable[[str], int | None] = lambda _: None
    """The status by which a path is refused, whoever asks."""
    after: Callable[[str], None] = lambda _: None
    """What happens when a path has been answered."""
    certificate: tuple[Path, Path] | None = None
    """Its own, and the key."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Authorization of each request."""

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The proxy's address."""
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def handle_request(self) -> None:
                gate.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that do not trust it hang up
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http{'' if self.certificate is None else 's'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(timeout=5)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request, as the server behind it does."""
        given = request.headers.get("Authorization", "")
        self.asked.append((request.command, request.path, given))
        if self.lets_through is not None and len(self.asked) > self.lets_through:
            request.connection.close()
            return
        refused = 401 if self.word not in (None, given) else self.refuse(request.path)
        if refused is not None:
            send_answer(request, refused, b"You are not authenticated.", {"WWW-Authenticate": 'Basic realm="mlflow"'})
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        behind.request(request.command, request.path, body or None, dict(request.headers))
        answer = behind.getresponse()
        send_answer(request, answer.status, answer.read(), {"Content-Type": answer.headers.get("Content-Type", "")})
        behind.close()
        self.after(request.path)


def send_answer(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    """One whole answer."""
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
