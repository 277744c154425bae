"""A topic of Kafka as a stream: records in JSON, from a broker on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from tests.faults.children import Child
from tests.faults.points import Order
from tests.faults.scene import plain
from tests.kafka_broker import Broker, serve_kafka
from tests.maven_jars import KAFKA
from tests.world import World, source_rows

pytestmark = [pytest.mark.slow, KAFKA.needed]

TOPIC = "flights.v1"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with serve_kafka() as found:
        yield found


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    """A process whose Spark has the connector."""
    monkeypatch.setenv("SPARK_DIST_CLASSPATH", KAFKA.extend_class_path())
    child = Child(tmp_path / "child.log")
    yield child
    child.end()


def records(first: int, rows: int) -> list[bytes]:
    """Rows of the source as JSON."""
    return [json.dumps(row).encode() for row in source_rows(rows, first=first).to_pylist()]


def test_records_are_published_once_and_what_is_no_record_is_a_reject(
    world: World, broker: Broker, driver: Child
) -> None:
    broker.send(TOPIC, *records(0, 50), b"{no json", None)  # the last one is a tombstone
    settings = world.settings(
        source={
            "table": TOPIC,
            "format": "kafka",
            "options": {
                "kafka.bootstrap.servers": broker.address,
                "startingOffsets": "earliest",
            },
            "schema": "id bigint, carrier string, x1 double, x2 double",
        },
    )
    order = Order(plain(settings), "", verb="stream")
    first = driver.does(order)
    assert (first["status"], first["rows_scored"], first["rows_rejected"]) == ("finished", 50, 1), first
    broker.send(TOPIC, *records(50, 20))
    second = driver.does(order)
    assert (second["batches"], second["rows_scored"], second["first_batch"]) == (1, 20, 1), second
    assert second["lag_behind"] == 0
    found = DeltaTable(world.path("predictions")).to_pyarrow_table().sort_by("id")
    assert found["id"].to_pylist() == list(range(70))
    np.testing.assert_allclose(found["prediction"], world.registry.expected(source_rows(70)), rtol=0, atol=1e-12)
    rejects = DeltaTable(world.path("predictions_rejects")).to_pyarrow_table()
    assert rejects["code"].to_pylist() == ["corrupt_record"]
