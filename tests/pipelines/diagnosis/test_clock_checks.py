import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sparkscore.pipelines.diagnosis import clock_checks
from sparkscore.pipelines.diagnosis.clock_checks import check_server_clock, judge_clock, measure_skew


@contextmanager
def server_with_clock(ahead_s: float | None) -> Iterator[str]:
    """A server that asks for a password and says what time it is; None: it does not."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(401)
            if ahead_s is not None:
                self.send_header("Date", formatdate(time.time() + ahead_s, usegmt=True))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://me:s3cret-Passw0rd@127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(("ahead_s", "status"), [(0, "ok"), (-120, "warn"), (7200, "fail"), (-900, "fail")])
def test_the_date_of_a_servers_answer_is_compared(ahead_s: float, status: str) -> None:
    with server_with_clock(ahead_s) as address:
        found = check_server_clock(address)
    assert found.status == status
    assert status == "ok" or "chrony" in found.cure


@pytest.mark.parametrize("address", [None, "sqlite:///mlflow.db", "databricks", "http://127.0.0.1:9"])
def test_where_nobody_tells_the_time_nothing_is_said_of_it(address: str | None) -> None:
    assert check_server_clock(address).status == "skip"


def test_a_server_without_a_date_too() -> None:
    with server_with_clock(None) as address:
        assert check_server_clock(address).status == "skip"


def test_a_server_that_answers_drop_by_drop_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_checks, "_LONGEST_S", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert check_server_clock(f"http://127.0.0.1:{server.getsockname()[1]}").status == "skip"


def test_a_certificate_that_is_not_where_it_should_be_is_no_end_of_the_diagnosis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "no.pem"))
    assert check_server_clock("https://127.0.0.1:9").status == "skip"


def test_a_clock_that_was_read_in_between_is_right() -> None:
    assert measure_skew(11.0, 10.0, 12.0) == 0
    assert measure_skew(5.0, 10.0, 12.0) == -5
    assert measure_skew(20.0, 10.0, 12.0) == 8


def test_it_says_which_way() -> None:
    assert judge_clock("clock", 400).found.startswith("400 s ahead of the driver's clock")
    assert judge_clock("clock", -400).found.startswith("400 s behind the driver's clock")
