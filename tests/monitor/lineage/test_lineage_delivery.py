"""Events to targets that misbehave: the run neither fails nor waits for them."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from sparkscore.errors import ConfigError
from sparkscore.monitor.lineage import lineage_delivery
from sparkscore.monitor.lineage.lineage_delivery import LineageDelivery, check_lineage_target
from sparkscore.monitor.lineage.lineage_events import build_lineage_event
from sparkscore.records import DatasetName, LineageField
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.settings.lineage_settings import LineageSettings
from tests.monitor.lineage.test_lineage_events import CONTEXT, LINEAGE, event
from tests.monitor.loopback import Answer, Server, serving, status

DEADLINE, SLACK = 0.8, 30.0
"""Seconds: the time-out of these tests, and what a busy machine may take beyond it."""


@pytest.fixture(autouse=True)
def no_other_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither proxies nor OpenLineage's settings of this machine, and nothing that other tests have left on its way."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LineageDelivery, "_stuck", [])


def settings(**values: Any) -> LineageSettings:
    return LineageSettings(**{"enabled": True, "timeout": DEADLINE} | values)


def send(given: LineageSettings, *kinds: str) -> tuple[str | None, float]:
    """What was not sent, and how long the end of the run waited."""
    delivery = LineageDelivery(given)
    for kind in kinds or ("started", "published"):
        delivery.send(lambda kind=kind: build_lineage_event(event(kind), LINEAGE, CONTEXT))  # type: ignore[misc]
    start = time.monotonic()
    return delivery.close(), time.monotonic() - start


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with suppress(OSError):
        while True:
            connection.sendall(b" ")
            time.sleep(0.1)


def states(server: Server) -> list[str]:
    return [json.loads(body)["eventType"] for body in server.bodies]


class TestHttp:
    def test_events_arrive_in_order_with_the_key_of_the_server(self) -> None:
        with serving(status("201 Created")) as server:
            url = f"http://127.0.0.1:{server.port}/base"
            problem, _ = send(settings(url=url, api_key="key-of-the-server", timeout=30))
        assert problem is None
        assert states(server) == ["START", "COMPLETE"]
        assert server.heads[0].startswith("POST /base/api/v1/lineage")
        assert "authorization: bearer key-of-the-server" in server.heads[0].lower()

    @pytest.mark.parametrize(
        ("answer", "why", "timeout"),
        [
            (lambda _: time.sleep(60), "no answer|timed out|Timeout", DEADLINE),
            (drip, "no answer", DEADLINE),
            (status("500 Internal Server Error"), "500|no answer", DEADLINE),
            (status("400 Bad Request"), "400", SLACK),
            (lambda connection: connection.close(), "Connection|no answer", DEADLINE),
        ],
        ids=["hangs", "drips", "fails", "refuses", "hangs up"],
    )
    def test_a_server_that_does_not_take_them_holds_the_run_for_a_limited_time(
        self, answer: Answer, why: str, timeout: float
    ) -> None:
        with serving(answer) as server:
            url = f"http://127.0.0.1:{server.port}"
            problem, seconds = send(settings(url=url, api_key="key-of-the-server", timeout=timeout))
        assert seconds < DEADLINE + SLACK
        assert problem is not None
        assert any(word in problem for word in why.split("|")), problem
        assert "key-of-the-server" not in problem

    def test_a_process_with_many_runs_does_not_gather_threads(self) -> None:
        problems, waits = [], Event()
        for _ in range(6):
            delivery = LineageDelivery(settings(url="http://127.0.0.1:9", timeout=0.02))
            delivery.send(lambda: waits.wait(60) and build_lineage_event(event(), LINEAGE, CONTEXT))  # type: ignore[arg-type,return-value]
            problems.append(delivery.close())
        waits.set()
        assert problems == [*["no answer within 0.02 s"] * 4, *["those of earlier runs are still on their way"] * 2]

    def test_an_event_that_cannot_be_built_does_not_keep_the_next_one(self) -> None:
        with serving(status("201 Created")) as server:
            delivery = LineageDelivery(settings(url=f"http://127.0.0.1:{server.port}", timeout=30))
            delivery.send(lambda: build_lineage_event(event(run_id=None, at=None), LINEAGE, CONTEXT))
            delivery.send(lambda: build_lineage_event(event(), LINEAGE, CONTEXT))
            problem = delivery.close()
        assert problem is not None
        assert problem.startswith("AttributeError")
        assert states(server) == ["COMPLETE"]


def test_a_file_gets_an_event_a_line(tmp_path: Path) -> None:
    file = tmp_path / "new" / "events.jsonl"
    assert send(settings(file=str(file), timeout=30))[0] is None
    assert send(settings(file=str(file), timeout=30), "aborted")[0] is None
    found = [json.loads(line)["eventType"] for line in file.read_text().splitlines()]
    assert found == ["START", "COMPLETE", "ABORT"]


def test_no_text_of_an_event_holds_a_secret(tmp_path: Path) -> None:
    register_secret("hunter2-is-secret")
    file, name = tmp_path / "events.jsonl", DatasetName("s3://lake", "hunter2-is-secret/flights")
    source = replace(LINEAGE.source, id=name, fields=(LineageField("hunter2-is-secret", "string"),))
    lineage = replace(LINEAGE, source=source)
    delivery = LineageDelivery(settings(file=str(file), timeout=30))
    delivery.send(lambda: build_lineage_event(event(job="hunter2-is-secret"), lineage, CONTEXT))
    assert delivery.close() is None
    assert "***/flights" in file.read_text()
    assert "hunter2" not in file.read_text()


class TestKafka:
    @pytest.fixture
    def broker(self) -> Iterator[str]:
        """A broker of librdkafka's own on loopback."""
        producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": ""})
        (address,) = {f"{one.host}:{one.port}" for one in producer.list_topics(timeout=30).brokers.values()}
        yield address
        producer.flush(1)

    def test_a_topic_gets_them_in_order(self, broker: str) -> None:
        assert send(settings(topic="lineage", kafka={"bootstrap.servers": broker}, timeout=30))[0] is None
        consumer = Consumer({"bootstrap.servers": broker, "group.id": "test", "auto.offset.reset": "earliest"})
        consumer.subscribe(["lineage"])
        messages = [one.value() for one in (consumer.poll(30), consumer.poll(30)) if one is not None]
        consumer.close()
        assert [json.loads(one or b"{}")["eventType"] for one in messages] == ["START", "COMPLETE"]

    def test_a_broker_that_is_not_there_holds_the_run_for_a_limited_time(self) -> None:
        problem, seconds = send(settings(topic="lineage", kafka={"bootstrap.servers": "127.0.0.1:9", "log_level": 0}))
        assert seconds < DEADLINE + SLACK
        assert problem is not None


class TestOwnConfiguration:
    def test_a_file_of_openlineage_names_the_target(self, tmp_path: Path) -> None:
        file = tmp_path / "events.jsonl"
        transport = f"{{type: file, log_file_path: {file}, append: true}}"
        Path("openlineage.yml").write_text(f"transport: {transport}\n")
        check_lineage_target(settings(), {})
        assert send(settings(timeout=30))[0] is None
        assert len(file.read_text().splitlines()) == 2

    def test_so_does_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(status("201 Created")) as server:
            code = """
import sys
from sparkscore.records import DatasetName, LineageField
from sparkscore.redaction.known_secrets import register_secret
from sparkscore.settings.lineage_settings import LineageSettings
from sparkscore.monitor.lineage.lineage_delivery import LineageDelivery
from sparkscore.monitor.lineage.lineage_events import build_lineage_event
from tests.monitor.lineage.test_lineage_events import CONTEXT, LINEAGE, event
delivery = LineageDelivery(LineageSettings(enabled=True, timeout=30))
delivery.send(lambda: build_lineage_event(event(), LINEAGE, CONTEXT))
sys.exit(delivery.close())
"""
            monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.port}")
            root = Path(__file__).parents[3]
            done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert states(server) == ["COMPLETE"]


def test_without_a_target_it_is_an_error_that_names_them() -> None:
    with pytest.raises(ConfigError, match=r"lineage\.url, lineage\.file or lineage\.topic"):
        check_lineage_target(settings(), {})
    check_lineage_target(settings(), {"OPENLINEAGE_URL": "http://127.0.0.1"})
    check_lineage_target(settings(), {"OPENLINEAGE__TRANSPORT__TYPE": "console"})


@pytest.mark.parametrize(
    ("missing", "install"), [("openlineage.client", r"sparkscore\[lineage\]"), ("confluent_kafka", "confluent-kafka")]
)
def test_a_missing_package_is_an_error_that_names_it(
    missing: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage_delivery, "find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(ConfigError, match=install):
        check_lineage_target(settings(topic="lineage", kafka={"bootstrap.servers": "broker:9092"}), {})
