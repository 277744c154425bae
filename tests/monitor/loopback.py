"""A server on loopback that answers as badly as a test asks for."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]


@dataclass
class Server:
    """What it was asked, in order."""

    port: int
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/services/T000/SECRET"

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for body in self.bodies]

    def hear(self, connection: socket.socket) -> None:
        """Read one request; a TLS greeting, which no HTTP server understands, is left alone."""
        taken = b""
        while b"\r\n\r\n" not in taken:
            part = connection.recv(65536)
            if not part or part[0] == 0x16:
                return
            taken += part
        head, _, body = taken.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = lengths[0] if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        self.heads.append(head.decode())
        self.bodies.append(body)


@contextmanager
def serving(*answers: Answer, reads: bool = True) -> Iterator[Server]:
    """The first connection gets the first answer, and so on; the last answer is for all that follow."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening.getsockname()[1])

        def serve(connection: socket.socket, answer: Answer) -> None:
            with connection, suppress(OSError):
                if reads:
                    server.hear(connection)
                answer(connection)

        def accept() -> None:
            number = 0
            with suppress(OSError):
                while not server.over.is_set():
                    connection, _ = listening.accept()
                    answer = answers[min(number, len(answers) - 1)]
                    threading.Thread(target=serve, args=(connection, answer), daemon=True).start()
                    number += 1

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


def status(line: str, *headers: str, body: bytes = b"ok") -> Answer:
    """A whole answer."""
    head = "\r\n".join([f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""])
    return lambda connection: connection.sendall(head.encode() + body)
