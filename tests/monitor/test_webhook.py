"""Alerts to a server on loopback that misbehaves: the run neither fails nor waits for it."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sparkscore.monitor.alerts import Alert
from sparkscore.monitor.http_post import url_host
from sparkscore.monitor.webhook import DeliveryResult, send_alerts
from tests.monitor.loopback import Answer, Server, serving, status

ALERT = Alert("drift", "flight-delay", "2013-12-31T00:00:00Z", "f" * 64, "2 columns have drifted")
OK = status("200 OK")
DEADLINE = 0.8
"""Seconds: the time-out where there is no answer."""
PATIENCE = 30.0
"""Seconds that a busy machine may take beyond it, or for an answer: a server that hangs does it for longer."""


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def told(url: str, *, timeout_s: float = PATIENCE) -> DeliveryResult:
    """What became of the alert; fails where that took longer than it may, or where the thread outlives the deadline."""
    sending = send_alerts([ALERT], url, timeout_s=timeout_s)
    assert sending is not None
    sent = sending.wait_for_result(timeout_s=timeout_s + PATIENCE)
    sending._thread.join(PATIENCE)
    assert not sending._thread.is_alive()
    return sent


def silent(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65536):
            pass


def dripping(first: bytes, drop: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(4_000):
            connection.sendall(drop)
            time.sleep(0.05)

    return answer


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
    for _ in range(100_000):
        connection.sendall(b"x" * 65536)


def endless_redirect(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 100000000000\r\n\r\n")
    for _ in range(100_000):
        connection.sendall(b"x" * 65536)


def closing(_: socket.socket) -> None:
    """The connection is closed without a word."""


def test_what_the_server_takes_is_told() -> None:
    with serving(OK) as server:
        assert told(server.url()) == DeliveryResult((ALERT.key,))
    assert server.texts == [ALERT.summary]
    assert "application/json" in server.heads[0]


def test_nothing_to_tell_starts_nothing() -> None:
    before = threading.active_count()
    assert send_alerts([], "http://127.0.0.1:1/") is None
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("answer", "problem", "tries"),
    [
        (silent, "no answer in time", 1),
        (dripping(b"", b"H"), "no answer in time", 1),
        (status("500 Internal Server Error"), "HTTP status 500", 2),
        (status("429 Too Many Requests"), "HTTP status 429", 2),
        (status("404 Not Found"), "HTTP status 404", 1),
        (status("302 Found", "Location: http://127.0.0.1:1/elsewhere"), "HTTP status 302", 1),
        (status("307 Temporary Redirect", "Location: http://127.0.0.1:1/"), "HTTP status 307", 1),
        (closing, "RemoteDisconnected", 2),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "BadStatusLine", 1),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000), "LineTooLong", 1),
    ],
)
def test_a_server_that_misbehaves_is_survived_and_named(answer: Answer, problem: str, tries: int) -> None:
    with serving(answer) as server:
        sent = told(server.url(), timeout_s=DEADLINE if problem == "no answer in time" else PATIENCE)
        assert sent == DeliveryResult(problem=f"127.0.0.1: {problem}")
    assert len(server.bodies) == tries


@pytest.mark.parametrize("drop", [b"x", b"X-A: b\r\n"])
def test_an_answer_whose_headers_never_end_is_no_answer(drop: bytes) -> None:
    with serving(dripping(b"HTTP/1.1 200 OK\r\n", drop)) as server:
        assert told(server.url(), timeout_s=DEADLINE) == DeliveryResult(problem="127.0.0.1: no answer in time")


def test_an_answer_without_an_end_is_not_read() -> None:
    with serving(endless) as server:
        assert told(server.url()) == DeliveryResult((ALERT.key,))


def test_a_server_that_reads_nothing_is_survived() -> None:
    with serving(silent, reads=False) as server:
        assert told(server.url(), timeout_s=DEADLINE).sent_keys == ()


def test_a_second_try_after_a_hiccup_is_enough() -> None:
    with serving(status("503 Service Unavailable"), OK) as server:
        assert told(server.url()) == DeliveryResult((ALERT.key,))
    assert len(server.bodies) == 2


def test_a_tls_handshake_that_never_ends_is_survived() -> None:
    with serving(silent) as server:
        assert told(server.url("https"), timeout_s=DEADLINE) == DeliveryResult(problem="127.0.0.1: no answer in time")


def test_a_tls_handshake_that_drips_is_survived() -> None:
    with serving(dripping(b"\x16\x03\x03\x40\x00", b"\x02"), reads=False) as server:
        assert told(server.url("https"), timeout_s=DEADLINE) == DeliveryResult(problem="127.0.0.1: no answer in time")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself, with its key in the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_is_told_over_tls_where_its_certificate_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            server.hear(secured)
            OK(secured)

    with serving(answer, reads=False) as server:
        sent = told(server.url("https"))
    assert sent == (
        DeliveryResult((ALERT.key,)) if trusted else DeliveryResult(problem="127.0.0.1: SSLCertVerificationError")
    )
    assert server.texts == ([ALERT.summary] if trusted else [])


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert told(f"http://127.0.0.1:{port}/SECRET") == DeliveryResult(problem="127.0.0.1: ConnectionRefusedError")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "file:///etc/passwd",
        "ftp://127.0.0.1/SECRET",
        "http://[SECRET",
        "http://",
        "http://127.0.0.1:SECRET/",
    ],
)
def test_what_is_no_url_of_the_web_is_refused_without_a_connection(url: str) -> None:
    sent = told(url)
    assert sent.sent_keys == ()
    assert sent.problem is not None
    assert "SECRET" not in sent.problem


def test_the_url_is_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (status("500 No"), closing, silent):
        with serving(answer) as server:
            told(server.url(), timeout_s=DEADLINE)
    told("http://user:SECRET@127.0.0.1:1/SECRET")
    told("http://127.0.0.1:1/SECRET\r\nX: SECRET")
    shown = "".join(capsys.readouterr())
    assert shown.count("alerts not sent") == 5
    assert "127.0.0.1" in shown
    assert "SECRET" not in shown
    assert url_host("http://user:SECRET@hooks.example/SECRET") == "hooks.example"


def test_debug_logs_hold_nothing_of_the_url(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serving(OK) as server:
        assert told(server.url()) == DeliveryResult((ALERT.key,))
    assert "SECRET" not in caplog.text


def test_credentials_of_netrc_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(OK) as server:
        told(server.url())
    assert "authorization" not in server.heads[0].lower()


def test_the_body_of_a_redirect_is_not_read() -> None:
    with serving(endless_redirect) as server:
        assert told(server.url()) == DeliveryResult(problem="127.0.0.1: HTTP status 302")


def test_a_run_waits_no_longer_than_it_wants_to() -> None:
    go = threading.Event()

    def answer_late(connection: socket.socket) -> None:
        go.wait(2 * PATIENCE)
        OK(connection)

    with serving(answer_late) as server:
        sending = send_alerts([ALERT], server.url(), timeout_s=2 * PATIENCE)
        assert sending is not None
        assert sending.wait_for_result(timeout_s=0.1) == DeliveryResult(problem="127.0.0.1: no answer in time")
        assert sending._thread.is_alive()
        assert sending._thread.daemon
        go.set()
        assert sending.wait_for_result(timeout_s=PATIENCE) == DeliveryResult((ALERT.key,))


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OK) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert told("http://hooks.example/services") == DeliveryResult((ALERT.key,))
    assert proxy.heads[0].startswith("POST http://hooks.example/services ")


def test_a_name_that_nobody_can_look_up_in_time_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = threading.Event(), threading.Event()

    def stuck(*_: Any, **__: Any) -> Any:
        asked.set()
        go.wait(2 * PATIENCE)
        raise socket.gaierror("gone")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    sending = send_alerts([ALERT], "http://hooks.example/", timeout_s=0.2)
    assert sending is not None
    assert asked.wait(PATIENCE)
    assert sending.wait_for_result(timeout_s=0.3) == DeliveryResult(problem="hooks.example: no answer in time")
    go.set()
    sending._thread.join(PATIENCE)
    assert not sending._thread.is_alive()


def test_no_connection_is_left_behind() -> None:
    """Nor a timer: what watches over a connection ends with it."""
    before = threading.active_count()
    ended: list[bytes] = []

    def hears_the_end(connection: socket.socket) -> None:
        OK(connection)
        ended.append(connection.recv(1))

    with serving(hears_the_end) as server:
        told(server.url(), timeout_s=60)
        assert_soon(lambda: ended == [b""], server)
    assert_soon(lambda: threading.active_count() <= before, server)


def assert_soon(holds: Callable[[], bool], about: Server) -> None:
    for _ in range(1_500):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(about)
