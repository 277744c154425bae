"""A Kafka broker on loopback that the Java client gets along with: librdkafka's own for tests, behind a proxy.

The broker knows ApiVersions up to version 2, and answers later ones, with which Java clients begin, by bytes that they
read as an order to wait for twenty minutes. The proxy answers them as a real broker does: with what is known instead.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from confluent_kafka import Producer

_API_VERSIONS, _KNOWN_VERSION, _UNSUPPORTED = 18, 2, 35
_HOST = b"127.0.0.1"


@dataclass(frozen=True)
class Broker:
    """One that runs."""

    producer: Producer
    """For records to send; the broker lives as long as it does."""
    address: str
    """For `kafka.bootstrap.servers`."""

    def send(self, topic: str, *values: bytes | None) -> None:
        """Append records to a topic, and wait until they are there."""
        for value in values:
            self.producer.produce(topic, value, key=b"k")
        self.producer.flush(10)


@contextmanager
def serve_kafka() -> Iterator[Broker]:
    """A broker with as many topics as are written to."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": ""})
    (own,) = producer.list_topics(timeout=10).brokers.values()
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = (int(own.port), int(server.getsockname()[1]))
        threading.Thread(target=_accept, args=(server, ports), daemon=True).start()
        yield Broker(producer, f"127.0.0.1:{ports[1]}")


def _accept(server: socket.socket, ports: tuple[int, int]) -> None:
    with suppress(OSError):  # closed
        while True:
            client, _ = server.accept()
            broker = socket.create_connection(("127.0.0.1", ports[0]))
            threading.Thread(target=_pass_requests, args=(client, broker), daemon=True).start()
            threading.Thread(target=_pass_answers, args=(broker, client, ports), daemon=True).start()


def _pass_requests(client: socket.socket, broker: socket.socket) -> None:
    for message in _read_messages(client):
        key, version = struct.unpack_from(">hh", message)
        if key == _API_VERSIONS and version > _KNOWN_VERSION:
            known = struct.pack(">hihhh", _UNSUPPORTED, 1, _API_VERSIONS, 0, _KNOWN_VERSION)
            _write_message(client, message[4:8] + known)
        else:
            _write_message(broker, message)
    with suppress(OSError):
        broker.shutdown(socket.SHUT_RDWR)
    client.close()


def _pass_answers(broker: socket.socket, client: socket.socket, ports: tuple[int, int]) -> None:
    """The broker tells where it is: clients are to come back here."""
    own, proxy = (_HOST + struct.pack(">i", port) for port in ports)
    for message in _read_messages(broker):
        _write_message(client, message.replace(own, proxy))
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    broker.close()


def _read_messages(source: socket.socket) -> Iterator[bytes]:
    with suppress(OSError), source.makefile("rb") as stream:
        while len(size := stream.read(4)) == 4:
            yield stream.read(struct.unpack(">i", size)[0])


def _write_message(target: socket.socket, message: bytes) -> None:
    with suppress(OSError):
        target.sendall(struct.pack(">i", len(message)) + message)
